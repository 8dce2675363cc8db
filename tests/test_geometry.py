"""Operations that move pixels, against SciPy, OpenCV, NumPy and Keras."""

import cv2
import keras
import numpy as np
import pytest

from perfkit import augment
from perfkit.ops import affine, boxes, paths
from perfkit.ops.warp import warp
from tests import oracles
from tests.oracles import drawn, noise, smooth, to_numpy, warped

HEIGHT, WIDTH = 9, 12  # odd, even, and not square
SIZE = (HEIGHT, WIDTH)
MODES = ("constant", "nearest", "reflect", "wrap")
every_fill_mode = pytest.mark.parametrize("fill_mode", MODES)
every_interpolation = pytest.mark.parametrize("how", ["bilinear", "nearest"])


def close(actual, expected, tolerance=0.02):
    """To 1e-4 of the range: coordinates of float32 times the steepest slope."""
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


# Whole pixels


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
def test_flips_are_those_of_numpy(mode):
    images = noise(16, *SIZE, 3)
    layer = augment.RandomFlip(mode, seed=3)
    signs = drawn(layer, 16)
    expected = [
        image[:: int(y), :: int(x)]
        for image, x, y in zip(images, signs["x"], signs["y"], strict=True)
    ]
    assert len(set(zip(signs["x"], signs["y"], strict=True))) == (
        4 if "and" in mode else 2
    )
    np.testing.assert_array_equal(to_numpy(layer(images)), expected)


def test_flipping_twice_alike_changes_nothing():
    images = noise(16, *SIZE, 3)
    once = augment.RandomFlip(seed=3)(images)
    twice = augment.RandomFlip(seed=3)(once)
    assert not np.array_equal(to_numpy(once), images)
    np.testing.assert_array_equal(to_numpy(twice), images)


@pytest.mark.parametrize("quarters", [-1, 1, 3])
def test_quarter_turns_are_those_of_numpy(quarters):
    images = noise(2, 8, 8, 3)
    layer = augment.RandomRotation((quarters / 4, quarters / 4))
    close(layer(images), np.rot90(images, quarters, axes=(1, 2)))


def test_a_half_turn_of_an_oblong_image_is_that_of_numpy():
    images = noise(2, *SIZE, 3)
    layer = augment.RandomRotation((0.5, 0.5))
    close(layer(images), np.rot90(images, 2, axes=(1, 2)))


def test_a_translation_by_whole_pixels_is_a_roll():
    images = noise(2, *SIZE, 3)
    layer = augment.RandomTranslation((2 / 9, 2 / 9), (-0.25, -0.25), fill_mode="wrap")
    close(layer(images), np.roll(images, (2, -3), axis=(1, 2)))


# Between pixels


@every_fill_mode
@every_interpolation
def test_rotation_is_that_of_scipy(fill_mode, how):
    images = noise(4, *SIZE, 2)
    layer = augment.RandomRotation(0.5, fill_mode, how, seed=5, fill_value=60.0)
    turns = drawn(layer, 4)["turns"]
    assert len(set(turns)) == 4
    matrices = [oracles.rotation(t, *SIZE) for t in turns]
    close(layer(images), warped(images, matrices, SIZE, how, fill_mode, 60.0))


def test_zoom_is_that_of_scipy():
    images = noise(4, *SIZE, 2)
    layer = augment.RandomZoom(0.6, 0.4, "constant", seed=5, fill_value=60.0)
    params = drawn(layer, 4)
    matrices = [
        oracles.zoom(h, w, *SIZE)
        for h, w in zip(params["height"], params["width"], strict=True)
    ]
    close(layer(images), warped(images, matrices, SIZE, "bilinear", "constant", 60.0))


def test_zoom_of_one_factor_keeps_the_aspect():
    layer = augment.RandomZoom(0.6, seed=5)
    params = drawn(layer, 4)
    np.testing.assert_array_equal(params["height"], params["width"])


def test_translation_is_that_of_scipy():
    images = noise(4, *SIZE, 2)
    layer = augment.RandomTranslation(0.4, 0.7, "wrap", seed=5)
    params = drawn(layer, 4)
    matrices = [
        oracles.translation(x * WIDTH, y * HEIGHT)
        for x, y in zip(params["width"], params["height"], strict=True)
    ]
    close(layer(images), warped(images, matrices, SIZE, "bilinear", "wrap"))


def test_shear_is_that_of_scipy_about_the_centre_and_to_both_sides():
    images = noise(8, *SIZE, 2)
    layer = augment.RandomShear(0.9, 0.5, "bilinear", "nearest", seed=5)
    params = drawn(layer, 8)
    for axis in "xy":
        assert params[axis].min() < 0 < params[axis].max()
    matrices = [
        oracles.shear(x, y, *SIZE)
        for x, y in zip(params["x"], params["y"], strict=True)
    ]
    close(layer(images), warped(images, matrices, SIZE, "bilinear", "nearest"))


AFFINE = {
    "rotation_factor": 0.2,
    "zoom_factor": 0.3,
    "shear_factor": 0.4,
    "height_factor": 0.3,
    "width_factor": 0.2,
    "seed": 5,
}


def affine_matrices(layer, batch, height, width):
    """The parts of `RandomAffine`, multiplied in NumPy."""
    params = drawn(layer, batch)
    return [
        oracles.translation(params["width"][k] * width, params["height"][k] * height)
        @ oracles.shear(params["shear"][k], 0.0, height, width)
        @ oracles.zoom(params["zoom"][k], params["zoom"][k], height, width)
        @ oracles.rotation(params["turns"][k], height, width)
        for k in range(batch)
    ]


def test_affine_is_the_product_of_its_parts():
    images = noise(4, *SIZE, 2)
    layer = augment.RandomAffine(**AFFINE)
    matrices = affine_matrices(layer, 4, *SIZE)
    close(layer(images), warped(images, matrices, SIZE, "bilinear", "reflect"))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandomRotation", {"factor": (0.1, 0.1)}),
        ("RandomZoom", {"height_factor": (0.3, 0.3), "width_factor": (-0.2, -0.2)}),
        (
            "RandomTranslation",
            {"height_factor": (0.2, 0.2), "width_factor": (-0.1, -0.1)},
        ),
    ],
)
def test_units_and_signs_are_those_of_keras(name, arguments):
    images = noise(2, *SIZE, 3)
    arguments = {**arguments, "fill_mode": "constant", "fill_value": 60.0}
    expected = getattr(keras.layers, name)(**arguments)(images, training=True)
    close(getattr(augment, name)(**arguments)(images), to_numpy(expected))


def perspective_matrices(layer, batch, height, width):
    """OpenCV's matrices between the corners and where they were drawn to be."""
    params = drawn(layer, batch)
    places = {
        "top_left": (0, 0),
        "top_right": (1, 0),
        "bottom_right": (1, 1),
        "bottom_left": (0, 1),
    }
    size = np.array([width, height])
    source = np.array(list(places.values())) * size
    matrices = []
    for k in range(batch):
        shift = [[params[f"{name}_{axis}"][k] for axis in "xy"] for name in places]
        target = source + np.array(shift) * size
        matrices.append(
            cv2.getPerspectiveTransform(
                source.astype("float32"), target.astype("float32")
            )
        )
    return matrices


@pytest.mark.parametrize("fill_mode", ["constant", "wrap"])
def test_perspective_is_that_of_scipy_between_the_drawn_corners(fill_mode):
    images = noise(4, *SIZE, 2)
    layer = augment.RandomPerspective(seed=5, fill_mode=fill_mode, fill_value=60.0)
    matrices = perspective_matrices(layer, 4, *SIZE)
    close(layer(images), warped(images, matrices, SIZE, "bilinear", fill_mode, 60.0))


def test_perspective_is_that_of_opencv_up_to_its_rounding_of_coordinates():
    images = smooth(4, 24, 32, 3)
    layer = augment.RandomPerspective(seed=5, fill_value=60.0)
    half = oracles.translation(0.5, 0.5)
    expected = [
        cv2.warpPerspective(
            image,
            np.linalg.inv(half) @ matrix @ half,
            (32, 24),
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(60.0, 60.0, 60.0),
        )
        for image, matrix in zip(
            images, perspective_matrices(layer, 4, 24, 32), strict=True
        )
    ]
    close(layer(images), expected, tolerance=255 / 32)
    assert np.abs(to_numpy(layer(images)) - images).mean() > 10


def test_nothing_is_seen_beyond_the_horizon():
    # The map sends x = 1 to infinity; pixels right of it have a negative weight.
    matrix = np.array([[[1.0, 0, 0], [0, 1, 0], [0.125, 0, 1]]])
    inverse = np.linalg.inv(matrix)
    seen = inverse[0, 2] @ np.stack([np.arange(12) + 0.5, np.zeros(12), np.ones(12)])
    assert (seen > 0).any()
    assert (seen < 0).any()
    path = paths.straight(keras.ops.convert_to_tensor(matrix, "float32"), False)
    _, coverage = warp(
        np.ones((1, 4, 12, 1), "float32"),
        *paths.sources(path, 4, 12),
        "bilinear",
        "constant",
    )
    assert (to_numpy(coverage)[0, :, seen < 0] == 0).all()
    assert (to_numpy(coverage)[0, :, seen > 0] > 0).any()


# Together


def test_turning_there_and_back_loses_nothing():
    images = noise(4, 16, 16, 3)
    there_and_back = [
        augment.RandomRotation((0.1, 0.1)),
        augment.RandomRotation((-0.1, -0.1)),
    ]
    close(augment.Pipeline(there_and_back)(images), images)
    blurred = to_numpy(augment.Pipeline(there_and_back, fused=False)(images))
    interior = np.abs(blurred - images)[:, 5:-5, 5:-5]
    assert interior.mean() > 10


def test_a_pipeline_resamples_once_through_the_product_of_its_matrices():
    images = noise(4, *SIZE, 2)
    pipeline = augment.Pipeline(
        [
            augment.RandomZoom((0.3, 0.3), fill_mode="constant", fill_value=60.0),
            augment.RandomRotation((0.1, 0.1), fill_mode="constant", fill_value=60.0),
            augment.Resizing(6, 20),
            augment.RandomTranslation(
                (0.25, 0.25), (0.1, 0.1), fill_mode="constant", fill_value=60.0
            ),
        ]
    )
    matrix = (
        oracles.translation(2.0, 1.5)
        @ np.diag([20 / WIDTH, 6 / HEIGHT, 1.0])
        @ oracles.rotation(0.1, *SIZE)
        @ oracles.zoom(0.3, 0.3, *SIZE)
    )
    expected = warped(images, [matrix] * 4, (6, 20), "bilinear", "constant", 60.0)
    close(pipeline(images), expected)


def test_two_fill_modes_are_two_resamples():
    images = noise(4, *SIZE, 2)
    pipeline = augment.Pipeline(
        [
            augment.RandomRotation((0.1, 0.1), fill_mode="wrap"),
            augment.RandomTranslation((0.25, 0.25), 0.0, fill_mode="nearest"),
        ]
    )
    turn = [oracles.rotation(0.1, *SIZE)] * 4
    shift = [oracles.translation(0.0, 0.25 * HEIGHT)] * 4
    turned = warped(images, turn, SIZE, "bilinear", "wrap")
    close(pipeline(images), warped(turned, shift, SIZE, "bilinear", "nearest"))


# Annotations


def annotated(batch, height, width, seed=1):
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(-0.2, 1.2, (batch, 5, 2, 2)), axis=2)
    corners = (corners * [width, height]).reshape(batch, 5, 4)
    corners[:, 4] = 0.0  # padding
    points = rng.uniform(0, 1, (batch, 6, 2)) * [width, height]
    labels = np.tile(np.array([3, 1, 0, 2, -1], "int32"), (batch, 1))
    return {
        "images": noise(batch, height, width, 2),
        "segmentation_masks": rng.integers(1, 6, (batch, height, width, 1), "int32"),
        "bounding_boxes": {"boxes": corners.astype("float32"), "labels": labels},
        "keypoints": np.concatenate([points, np.full((batch, 6, 1), 2.0)], -1).astype(
            "float32"
        ),
    }


WARPS = {
    "affine": (lambda **more: augment.RandomAffine(**AFFINE, **more), affine_matrices),
    "perspective": (
        lambda **more: augment.RandomPerspective(seed=5, **more),
        perspective_matrices,
    ),
}


@pytest.mark.parametrize("name", WARPS)
def test_annotations_follow_the_drawn_matrix(name):
    make, read_matrices = WARPS[name]
    data = annotated(4, *SIZE)
    layer = make(fill_mode="constant", fill_value=60.0, bounding_box_format="xyxy")
    matrices = read_matrices(layer, 4, *SIZE)
    outputs = to_numpy(layer(data))

    masks = data["segmentation_masks"]
    expected = warped(masks, matrices, SIZE, "nearest", "constant", 0.0)
    assert outputs["segmentation_masks"].dtype == masks.dtype
    np.testing.assert_array_equal(outputs["segmentation_masks"], expected)
    assert (expected == 0).any()

    keypoints = outputs["keypoints"]
    close(keypoints[..., :2], oracles.moved(matrices, data["keypoints"][..., :2]), 1e-3)
    assert ((keypoints[..., :2] < 0) | (keypoints[..., :2] > 12)).any()
    np.testing.assert_array_equal(keypoints[..., 2], data["keypoints"][..., 2])

    corners = oracles.hull(matrices, data["bounding_boxes"]["boxes"])
    corners = np.clip(corners, 0, [WIDTH, HEIGHT, WIDTH, HEIGHT])
    area = np.prod(corners[..., 2:] - corners[..., :2], axis=-1)
    labels = np.where(area > 0, data["bounding_boxes"]["labels"], -1)
    close(outputs["bounding_boxes"]["boxes"], corners, 1e-3)
    np.testing.assert_array_equal(outputs["bounding_boxes"]["labels"], labels)


def test_a_box_that_leaves_the_image_gets_the_label_minus_one():
    layer = augment.RandomTranslation(0.0, (0.5, 0.5), bounding_box_format="xyxy")
    corners = np.array([[[0, 0, 4, 4], [7, 0, 9, 4], [2, 0, 8, 4]]], "float32")
    labels = np.array([[1, 2, 3]])
    data = {
        "images": noise(1, *SIZE, 1),
        "bounding_boxes": {"boxes": corners, "labels": labels},
    }
    outputs = to_numpy(layer(data))["bounding_boxes"]
    close(outputs["boxes"], [[[6, 0, 10, 4], [12, 0, 12, 4], [8, 0, 12, 4]]], 1e-4)
    assert outputs["labels"].tolist() == [[1, -1, 3]]


@pytest.mark.parametrize(
    "name",
    [
        "xyxy",
        "yxyx",
        "xywh",
        "center_xywh",
        "center_yxhw",
        "rel_xyxy",
        "rel_yxyx",
        "rel_xywh",
        "rel_center_xywh",
    ],
)
def test_box_formats_are_those_of_keras(name):
    corners = annotated(3, *SIZE)["bounding_boxes"]["boxes"]
    expected = keras.utils.bounding_boxes.convert_format(
        {"boxes": corners, "labels": np.zeros((3, 5))}, "xyxy", name, *SIZE
    )["boxes"]
    close(boxes.from_xyxy(corners, name, *SIZE), to_numpy(expected), 1e-5)
    close(boxes.to_xyxy(expected, name, *SIZE), corners, 1e-5)


# The maths below


def homographies(batch):
    rng = np.random.default_rng(2)
    return (np.eye(3) + rng.uniform(-0.2, 0.2, (batch, 3, 3))).astype("float32")


def test_inverse_and_composition_are_those_of_numpy():
    first, second = homographies(16)[:8], homographies(16)[8:]
    close(affine.inverse(first), np.linalg.inv(first), 1e-5)
    close(affine.compose(second, first), second @ first, 1e-5)


def test_points_move_as_in_opencv():
    points = noise(8, 5, 2, high=1.0)
    expected = oracles.moved(homographies(8), points)
    close(affine.apply(homographies(8), points), expected, 1e-5)
