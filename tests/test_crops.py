"""Crops and resizes, against NumPy slices, SciPy, statistics and Keras."""

import keras
import numpy as np
import pytest
from scipy import stats

from perfkit import augment
from perfkit.ops import windows
from tests import oracles
from tests.oracles import noise, to_numpy, warped


def close(actual, expected, tolerance=0.02):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


def numbered(batch, height, width):
    """Images that say of each pixel where it comes from."""
    image = np.arange(height * width, dtype="float32").reshape(1, height, width, 1)
    return np.repeat(image, batch, axis=0)


# Random crop


def test_random_crops_are_slices_and_every_window_is_as_likely():
    images = numbered(4000, 5, 6)
    crops = to_numpy(augment.RandomCrop(3, 4, seed=1)(images))
    tops, lefts = np.divmod(crops[:, 0, 0, 0].astype(int), 6)
    expected = [
        image[top : top + 3, left : left + 4]
        for image, top, left in zip(images, tops, lefts, strict=True)
    ]
    np.testing.assert_array_equal(crops, expected)
    counts = np.bincount(tops * 3 + lefts, minlength=9)
    assert counts.shape == (9,)
    assert stats.chisquare(counts).pvalue > 1e-3  # seed 1


def test_a_random_crop_of_the_whole_image_is_the_image():
    images = noise(4, 5, 6, 3)
    np.testing.assert_array_equal(to_numpy(augment.RandomCrop(5, 6)(images)), images)


def test_a_random_crop_keeps_every_uint8_value():
    images = numbered(8, 16, 16).astype("uint8")
    crops = to_numpy(augment.RandomCrop(8, 8, seed=1, dtype="uint8")(images))
    assert crops.dtype == "uint8"
    first = crops[:, :1, :1].astype(int)
    np.testing.assert_array_equal(crops - first, numbered(8, 16, 16)[:, :8, :8])


def test_annotations_move_with_the_window():
    data = {
        "images": numbered(16, 8, 8),
        "segmentation_masks": numbered(16, 8, 8).astype("int32"),
        "keypoints": np.full((16, 1, 2), 4.0, "float32"),
        "bounding_boxes": {
            "boxes": np.tile(
                np.array([[[0, 0, 1, 1], [1, 2, 7, 8]]], "float32"), (16, 1, 1)
            ),
            "labels": np.ones((16, 2), "int32"),
        },
    }
    layer = augment.RandomCrop(4, 5, seed=1, bounding_box_format="xyxy")
    outputs = to_numpy(layer(data))
    np.testing.assert_array_equal(outputs["segmentation_masks"], outputs["images"])
    tops, lefts = np.divmod(outputs["images"][:, 0, 0, 0], 8)
    shift = np.stack([lefts, tops], axis=-1)[:, None]
    close(outputs["keypoints"], 4.0 - shift, 1e-5)
    corners = data["bounding_boxes"]["boxes"] - np.tile(shift, (1, 1, 2))
    close(outputs["bounding_boxes"]["boxes"], np.clip(corners, 0, [5, 4, 5, 4]), 1e-5)
    seen = np.stack([(tops < 1) & (lefts < 1), np.ones(16, bool)], axis=-1)
    labels = outputs["bounding_boxes"]["labels"]
    np.testing.assert_array_equal(labels, np.where(seen, 1, -1))
    assert len(set(tops)) > 1


# Centre crop


@pytest.mark.parametrize(
    ("size", "crop"), [((9, 12), (4, 5)), ((8, 8), (3, 8)), ((7, 10), (6, 7))]
)
def test_a_centre_crop_is_that_of_keras(size, crop):
    images = noise(2, *size, 3)
    expected = to_numpy(keras.layers.CenterCrop(*crop)(images))
    np.testing.assert_array_equal(to_numpy(augment.CenterCrop(*crop)(images)), expected)
    inference = augment.RandomCrop(*crop)(images, training=False)
    np.testing.assert_array_equal(to_numpy(inference), expected)


@pytest.mark.parametrize(
    ("size", "crop", "scale", "left", "top"),
    [((5, 9), (10, 10), 2, 4, 0), ((6, 3), (4, 8), 8 / 3, 0, 6)],
)
def test_an_image_too_small_is_enlarged_until_the_window_fits(
    size, crop, scale, left, top
):
    images = noise(2, *size, 3)
    matrix = oracles.translation(-left, -top) @ np.diag([scale, scale, 1])
    expected = warped(images, [matrix] * 2, crop, "bilinear", "nearest")
    close(augment.CenterCrop(*crop)(images), expected)
    close(augment.RandomCrop(*crop)(images, training=False), expected)


def test_an_enlarged_image_is_that_of_keras_but_for_the_edges_of_the_window():
    images = noise(2, 5, 9, 3)
    expected = to_numpy(keras.layers.CenterCrop(10, 10)(images))[:, :, 1:-1]
    close(augment.CenterCrop(10, 10)(images)[:, :, 1:-1], expected)


def test_a_random_crop_of_a_small_image_shows_any_part_of_the_enlarged_one():
    images = noise(1, 4, 8, 3).repeat(64, axis=0)
    crops = to_numpy(augment.RandomCrop(8, 8, seed=1)(images))
    large = to_numpy(keras.layers.Resizing(8, 16)(images[:1]))[0]
    windows = np.stack([large[:, left : left + 8] for left in range(9)])
    errors = np.abs(crops[:, None] - windows[None]).max(axis=(2, 3, 4))
    close(errors.min(axis=1), 0.0)
    assert set(errors.argmin(axis=1)) == set(range(9))


# Random resized crop


def windows_of(layer, batch, height, width):
    """Left, top, width and height of each window of images of so many pixels."""
    params = layer.sample(batch, seed=1)
    params = {k: keras.ops.convert_to_tensor(x) for k, x in params.items()}
    matrix = to_numpy(layer.matrix(params, float(height), float(width)))
    scale, shift = matrix[:, [0, 1], [0, 1]], matrix[:, :2, 2]
    left, top = (-shift / scale).T
    return left, top, layer.width / scale[:, 0], layer.height / scale[:, 1]


def test_windows_have_the_area_and_the_aspect_asked_for_and_lie_within():
    layer = augment.RandomResizedCrop(4, 4, (0.1, 0.5), (3 / 4, 4 / 3))
    left, top, width, height = windows_of(layer, 4000, 2000, 2400)
    area, aspect = width * height / (2000 * 2400), width / height
    for values, low, high in [
        (area, 0.1, 0.5),
        (np.log(aspect), np.log(3 / 4), np.log(4 / 3)),
        (left / (2400 - width), 0.0, 1.0),
        (top / (2000 - height), 0.0, 1.0),
    ]:
        assert low - 2e-3 < values.min() < values.max() < high + 2e-3
        uniform = stats.uniform(low, high - low)
        assert stats.kstest(values, uniform.cdf).pvalue > 1e-3  # seed 1


def test_windows_are_whole_pixels_and_none_is_beyond_the_image():
    layer = augment.RandomResizedCrop(4, 4, (0.01, 1.0))
    left, top, width, height = windows_of(layer, 4000, 5, 7)
    for values in (left, top, width, height):
        close(values, np.round(values), 1e-3)
    assert min(width.min(), height.min()) > 0.99
    assert min(left.min(), top.min()) > -1e-3
    assert (left + width).max() < 7.001
    assert (top + height).max() < 5.001
    assert len(set(np.round(left))) == 7


def test_a_window_too_wide_takes_an_aspect_that_fits_its_area():
    layer = augment.RandomResizedCrop(4, 4, (0.9, 1.0), (0.1, 10.0))
    left, top, width, height = windows_of(layer, 1000, 2000, 2400)
    area = width * height / (2000 * 2400)
    assert area.min() > 0.9 - 1e-3
    assert stats.kstest(area, stats.uniform(0.9, 0.1).cdf).pvalue > 1e-3  # seed 1
    assert width.max() < 2400.01
    assert height.max() < 2000.01
    assert min(left.min(), top.min()) > -0.01
    # The aspect is not stuck at one end of what fits, 0.9 * 1.2 to 1.2 / 0.9.
    assert np.ptp(np.log(width / height)) > 0.1


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
def test_a_window_is_resized_as_scipy_resamples_it(how):
    images = noise(4, 9, 12, 2)
    layer = augment.RandomResizedCrop(7, 5, interpolation=how)
    left, top, width, height = windows_of(layer, 4, 9, 12)
    matrices = [
        np.diag([5 / w, 7 / h, 1.0]) @ oracles.translation(-x, -y)
        for x, y, w, h in zip(left, top, width, height, strict=True)
    ]
    expected = warped(images, matrices, (7, 5), how, "nearest")
    close(layer.apply(images, layer.sample(4, seed=1)), expected, 0.1)


def test_at_inference_the_window_is_the_largest_in_the_middle():
    images = noise(2, 9, 12, 2)
    outputs = augment.RandomResizedCrop(6, 6, seed=3)(images, training=False)
    matrix = np.diag([6 / 9, 6 / 9, 1.0]) @ oracles.translation(-2.0, 0.0)
    close(outputs, warped(images, [matrix] * 2, (6, 6), "bilinear", "nearest"))


# Resizing

KERNELS = ["bilinear", "nearest", "bicubic", "lanczos3", "lanczos5"]
# TensorFlow looks the weights of its bicubic kernel up in a table of 1,024.
TOLERANCES = {"bicubic": 0.25}


@pytest.mark.parametrize("how", KERNELS)
@pytest.mark.parametrize("antialias", [False, True])
def test_resizing_is_that_of_keras(how, antialias):
    images = noise(2, 7, 10, 3)
    arguments = {"interpolation": how, "antialias": antialias}
    expected = to_numpy(keras.layers.Resizing(12, 5, **arguments)(images))
    tolerance = TOLERANCES.get(how, 0.02)
    close(augment.Resizing(12, 5, **arguments)(images), expected, tolerance)


FRAMES = [  # of 7 x 10 pixels: the target, the window to crop, the rims to pad
    ((12, 5), (slice(0, 7), slice(4, 6)), ((8, 9), (0, 0))),
    ((3, 11), (slice(2, 4), slice(0, 10)), ((0, 0), (7, 8))),
    ((14, 4), (slice(0, 7), slice(4, 6)), ((14, 14), (0, 0))),
]


@pytest.mark.parametrize("how", ["bilinear", "nearest", "lanczos3"])
@pytest.mark.parametrize(("target", "window", "rims"), FRAMES)
def test_padding_and_cropping_keep_the_aspect(how, target, window, rims):
    images = noise(2, 7, 10, 3)
    resize = keras.layers.Resizing(*target, how)
    padded = np.pad(images, ((0, 0), *rims, (0, 0)), constant_values=60.0)
    ours = augment.Resizing(*target, how, pad_to_aspect_ratio=True, fill_value=60.0)
    close(ours(images), to_numpy(resize(padded)))

    ours = to_numpy(augment.Resizing(*target, how, crop_to_aspect_ratio=True)(images))
    expected = to_numpy(resize(images[:, *window]))
    if how == "bilinear":  # sees beyond the edges of the window
        ours, expected = ours[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1]
    close(ours, expected)


def test_even_padding_is_that_of_keras():
    images = noise(2, 6, 12, 3)
    arguments = {"pad_to_aspect_ratio": True, "fill_value": 60.0}
    expected = keras.layers.Resizing(7, 7, **arguments)(images)
    close(augment.Resizing(7, 7, **arguments)(images), to_numpy(expected))


def test_bilinear_cropping_sees_the_pixels_beside_the_window():
    images = noise(2, 7, 10, 3)
    matrix = np.diag([5 / 2, 12 / 7, 1.0]) @ oracles.translation(-4, 0)
    expected = warped(images, [matrix] * 2, (12, 5), "bilinear", "nearest")
    layer = augment.Resizing(12, 5, crop_to_aspect_ratio=True)
    close(layer(images), expected)


@pytest.mark.parametrize(("width", "target"), [(35, (12, 7)), (133, (24, 7))])
def test_frames_are_whole_where_a_quotient_would_round_down(width, target):
    # 35 / (7 / 12) is 59.99999999999999 in double precision.
    tall = width * target[0] // target[1]
    size = float(tall), float(width)
    assert windows.largest_whole(*size, *target) == (0.0, 0.0, *size)
    assert windows.smallest_whole(*size, *target) == (0.0, 0.0, *size)
    assert windows.smallest_whole(tall - 2.0, float(width), *target)[0] == -1.0


SHAPES = {
    "stretched": {},
    "cropped": {"crop_to_aspect_ratio": True},
    "padded": {"pad_to_aspect_ratio": True, "fill_value": 60.0},
}


@pytest.mark.parametrize("how", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", SHAPES)
def test_annotations_are_resized_with_the_image(shape, how):
    # Each pixel of the mask is 1, so that what is 0 afterwards is padding.
    data = {
        "images": np.full((1, 6, 12, 1), 200.0, "float32"),
        "segmentation_masks": np.ones((1, 6, 12), "int32"),
        "keypoints": np.array([[[0.0, 0.0], [6.0, 3.0], [12.0, 6.0]]], "float32"),
        "bounding_boxes": {
            "boxes": np.array([[[4.0, 2.0, 8.0, 4.0]]], "float32"),
            "labels": np.ones((1, 1), "int32"),
        },
    }
    layer = augment.Resizing(8, 8, how, bounding_box_format="xyxy", **SHAPES[shape])
    outputs = to_numpy(layer(data))
    mask = np.ones((1, 8, 8))
    if shape == "stretched":
        corners, points = [8 / 3, 8 / 3, 16 / 3, 16 / 3], [[0, 0], [4, 4], [8, 8]]
    elif shape == "cropped":
        corners, points = [4 / 3, 8 / 3, 20 / 3, 16 / 3], [[-4, 0], [4, 4], [12, 8]]
    else:
        corners, points = [8 / 3, 10 / 3, 16 / 3, 14 / 3], [[0, 2], [4, 4], [8, 6]]
        mask[:, :2] = mask[:, 6:] = 0
    close(outputs["bounding_boxes"]["boxes"], [[corners]], 1e-4)
    close(outputs["keypoints"], [points], 1e-4)
    np.testing.assert_array_equal(outputs["segmentation_masks"], mask)
    flat = outputs["images"][0, :, :, 0]
    close(flat[mask[0] == 1].max(), 200.0, 0.02 if shape != "padded" else 10.0)
    close(flat[[0, -1]], 60.0 if shape == "padded" else 200.0)


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
def test_resizing_fuses_with_what_is_beside_it(how):
    images = noise(2, 9, 12, 2)
    pipeline = augment.Pipeline(
        [
            augment.RandomTranslation((1 / 3, 1 / 3), 0.0, interpolation=how),
            augment.Resizing(5, 16, how),
        ]
    )
    matrix = np.diag([16 / 12, 5 / 9, 1.0]) @ oracles.translation(0, 3)
    close(pipeline(images), warped(images, [matrix] * 2, (5, 16), how, "reflect"))
