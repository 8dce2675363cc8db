"""Turns, letter boxes and crops around boxes, against NumPy, SciPy and OpenCV."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from perfkit import augment
from tests import oracles
from tests.oracles import drawn, noise, smooth, to_numpy, warped

HEIGHT, WIDTH = 20, 30


def close(actual, expected, tolerance=0.02):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


# Quarter turns and the eight symmetries


def test_quarter_turns_are_those_of_numpy_to_the_bit():
    images = noise(32, 7, 7, 3)
    layer = augment.RandomRot90(seed=1)
    turns = drawn(layer, 32)["turns"].astype(int)
    assert set(turns) == {0, 1, 2, 3}
    expected = [np.rot90(image, k) for image, k in zip(images, turns, strict=True)]
    np.testing.assert_array_equal(to_numpy(layer(images)), expected)


def test_only_the_turns_allowed_are_drawn_and_all_as_often():
    turns = drawn(augment.RandomRot90((0, 3, 2), seed=1), 4000)["turns"]
    counts = np.bincount(turns.astype(int), minlength=4)
    assert counts[1] == 0
    assert stats.chisquare(counts[[0, 2, 3]]).pvalue > 1e-3


def test_half_turns_serve_oblong_images():
    images = noise(16, 6, 9, 3)
    layer = augment.RandomRot90((0, 2), seed=1)
    turns = drawn(layer, 16)["turns"].astype(int)
    expected = [np.rot90(image, k) for image, k in zip(images, turns, strict=True)]
    np.testing.assert_array_equal(to_numpy(layer(images)), expected)
    assert set(turns) == {0, 2}


def test_the_eight_symmetries_are_those_of_numpy_and_each_is_as_likely():
    image = np.arange(9, dtype="float32").reshape(3, 3)
    turned = [np.rot90(image, k) for k in range(4)]
    expected = np.stack([*turned, *[x[:, ::-1] for x in turned]]).reshape(8, 9)
    out = augment.RandomD4(seed=1)(np.tile(image[None, ..., None], (4000, 1, 1, 1)))
    found, counts = np.unique(to_numpy(out).reshape(-1, 9), axis=0, return_counts=True)
    np.testing.assert_array_equal(found, np.unique(expected, axis=0))
    assert stats.chisquare(counts).pvalue > 1e-3


SQUARE_ONLY = [augment.RandomRot90, augment.RandomD4]


@pytest.mark.parametrize("op", SQUARE_ONLY)
def test_a_quarter_turn_of_oblong_images_names_the_remedy(op):
    remedy = r"RandomRot90\(turns=\(0, 2\)\)|RandomFlip"
    for layer in (op(name="turn"), augment.Pipeline([op(name="turn")])):
        with pytest.raises(ValueError, match=rf"turn: .*square.*({remedy}).*height=6"):
            layer(noise(2, 6, 9, 3))


@pytest.mark.parametrize("op", SQUARE_ONLY)
@pytest.mark.parametrize("width", [8, 9])
def test_images_of_unknown_size_are_checked_while_they_run(op, width):
    spec = tf.TensorSpec([None, None, 3], "float32")
    images = tf.data.Dataset.from_generator(
        lambda: [noise(8, width, 3)], output_signature=spec
    )
    dataset = images.map(op(name="turn"))
    if width == 8:
        assert next(iter(dataset)).shape == (8, 8, 3)
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"turn: .*square images"):
        next(iter(dataset))


# Letter boxes


@pytest.mark.parametrize(
    ("size", "frame"),
    [((20, 30), (16, 16)), ((30, 20), (15, 24)), ((5, 7), (24, 28)), ((9, 2), (3, 40))],
)
def test_a_letter_box_is_resized_by_opencv_and_padded(size, frame):
    images = smooth(2, *size, 3)
    scale = min(frame[0] / size[0], frame[1] / size[1])
    tall, wide = [max(round(n * scale), 1) for n in size]
    top, left = (frame[0] - tall) // 2, (frame[1] - wide) // 2
    out = to_numpy(augment.LetterBox(*frame, fill_value=60.0)(images))
    for image, ours in zip(images, out, strict=True):
        expected = cv2.resize(image, (wide, tall), interpolation=cv2.INTER_LINEAR)
        inner = ours[top : top + tall, left : left + wide]
        rim = np.ceil(0.5 * np.array([tall, wide]) / size).astype(int)
        within = tuple(
            slice(n, length - n) for n, length in zip(rim, inner.shape[:2], strict=True)
        )
        close(inner[within], expected[within])
        rim = np.where(np.array([tall, wide]) > size, rim, 1)  # blended across the edge
        y, x = np.maximum([top, left] - rim, 0)
        ours[y : top + tall + rim[0], x : left + wide + rim[1]] = 60.0
        assert (ours == 60.0).all()


def test_a_letter_box_keeps_the_aspect_of_boxes_and_fills_masks_with_zero():
    data = {
        "images": np.ones((1, 20, 30, 1), "float32"),
        "segmentation_masks": np.ones((1, 20, 30, 1), "int32"),
        "keypoints": np.array([[[0.0, 0.0], [30.0, 20.0]]], "float32"),
        "bounding_boxes": {"boxes": np.array([[[6, 5, 12, 15]]], "float32")},
    }
    out = to_numpy(augment.LetterBox(12, 12, bounding_box_format="xyxy")(data))
    close(out["bounding_boxes"]["boxes"], [[[2.4, 4, 4.8, 8]]], 1e-4)
    close(out["keypoints"], [[[0, 2], [12, 10]]], 1e-4)
    expected = np.zeros((12, 12))
    expected[2:10] = 1
    np.testing.assert_array_equal(out["segmentation_masks"][0, ..., 0], expected)


def test_a_letter_box_fuses_with_what_is_beside_it():
    images = noise(2, 20, 30, 2)
    shift = augment.RandomTranslation(
        0.0, (0.1, 0.1), fill_mode="constant", fill_value=9.0
    )
    pipeline = augment.Pipeline([shift, augment.LetterBox(12, 12, fill_value=9.0)])
    matrix = (
        oracles.translation(0, 2) @ np.diag([0.4, 0.4, 1]) @ oracles.translation(3, 0)
    )
    expected = warped(images, [matrix] * 2, (12, 12), "bilinear", "constant", 9.0)
    close(pipeline(images), expected)


# Zooming out


def test_zooming_out_is_that_of_scipy():
    images = noise(6, HEIGHT, WIDTH, 2)
    layer = augment.RandomZoomOut((1.0, 3.0), fill_value=60.0, seed=1)
    params = drawn(layer, 6)
    matrices = [
        np.diag([1 / r, 1 / r, 1.0])
        @ oracles.translation(x * (r - 1) * WIDTH, y * (r - 1) * HEIGHT)
        for r, x, y in zip(*[params[k] for k in ("scale", "x", "y")], strict=True)
    ]
    expected = warped(images, matrices, (HEIGHT, WIDTH), "bilinear", "constant", 60.0)
    close(layer(images), expected)


def test_a_number_is_the_upper_end_of_the_canvas():
    layer = augment.RandomZoomOut(2.0, seed=1)
    assert layer.scale == (1.0, 2.0)
    scale = drawn(layer, 4000)["scale"]
    assert stats.kstest(scale, stats.uniform(1.0, 1.0).cdf).pvalue > 1e-3


def test_zoomed_out_images_lie_anywhere_within_the_canvas():
    corners = np.tile(np.array([[[0, 0], [WIDTH, HEIGHT]]], "float32"), (4000, 1, 1))
    data = {"images": np.zeros((4000, HEIGHT, WIDTH, 1), "uint8"), "keypoints": corners}
    points = to_numpy(augment.RandomZoomOut((2.0, 2.0), seed=1)(data))["keypoints"]
    for axis, size in enumerate((WIDTH, HEIGHT)):
        place = points[:, 0, axis] / (size / 2)
        assert stats.kstest(place, stats.uniform(0.0, 1.0).cdf).pvalue > 1e-3
        close(points[:, 1, axis] - points[:, 0, axis], size / 2, 1e-3)


# Crops around boxes


def boxed(batch, seed=1):
    """Three boxes each, and padding that would widen the hull."""
    rng = np.random.default_rng(seed)
    corners = np.sort(rng.uniform(0.2, 0.8, (batch, 3, 2, 2)), axis=2)
    corners = (corners * [WIDTH, HEIGHT]).reshape(batch, 3, 4)
    padding = np.tile([[[0.0, 0.0, WIDTH, HEIGHT]]], (batch, 1, 1))
    corners = np.concatenate([corners, padding], axis=1).astype("float32")
    labels = np.tile(np.array([3, 1, 0, -1], "int32"), (batch, 1))
    return {
        "images": noise(batch, HEIGHT, WIDTH, 1),
        "bounding_boxes": {"boxes": corners, "labels": labels},
        "keypoints": np.tile(
            np.array([[[0, 0], [WIDTH, HEIGHT]]], "float32"), (batch, 1, 1)
        ),
    }


def windows_of(outputs, height, width):
    """Left, top, right and bottom of each window, told by two keypoints."""
    points = to_numpy(outputs["keypoints"]).astype("float64")
    scale = (points[:, 1] - points[:, 0]) / [WIDTH, HEIGHT]
    start = -points[:, 0] / scale
    return np.concatenate([start, start + np.array([width, height]) / scale], axis=-1)


def test_a_box_safe_crop_keeps_every_box_whole():
    data = boxed(400)
    layer = augment.BoxSafeCrop(16, 24, bounding_box_format="xyxy", seed=1)
    outputs = to_numpy(layer(data))
    windows = windows_of(outputs, 16, 24)
    assert windows.min() > -1e-3
    assert (windows[:, 2:] < [WIDTH + 1e-3, HEIGHT + 1e-3]).all()
    corners = data["bounding_boxes"]["boxes"][:, :3]
    assert (windows[:, None, :2] <= corners[..., :2] + 1e-3).all()
    assert (windows[:, None, 2:] >= corners[..., 2:] - 1e-3).all()
    scale = [24, 16] / (windows[:, 2:] - windows[:, :2])
    expected = (corners - np.tile(windows[:, None, :2], 2)) * np.tile(scale[:, None], 2)
    close(outputs["bounding_boxes"]["boxes"][:, :3], expected, 1e-2)
    kept = outputs["bounding_boxes"]["labels"]
    np.testing.assert_array_equal(kept, data["bounding_boxes"]["labels"])


def test_each_edge_of_the_window_is_uniform_up_to_the_boxes():
    data = boxed(2000)
    layer = augment.BoxSafeCrop(16, 24, bounding_box_format="xyxy", seed=1)
    windows = windows_of(layer(data), 16, 24)
    corners = data["bounding_boxes"]["boxes"][:, :3]
    low, high = corners[..., :2].min(axis=1), corners[..., 2:].max(axis=1)
    shares = np.concatenate(
        [windows[:, :2] / low, (windows[:, 2:] - high) / ([WIDTH, HEIGHT] - high)],
        axis=1,
    )
    for share in shares.T:
        assert stats.kstest(share, stats.uniform(0.0, 1.0).cdf).pvalue > 1e-3


@pytest.mark.parametrize("erosion", [0.4, 1.0])
def test_erosion_is_what_may_be_cut_off_of_a_box(erosion):
    data = boxed(1000)
    data["bounding_boxes"]["labels"][:, 1:] = -1
    layer = augment.BoxSafeCrop(
        16, 24, erosion=erosion, bounding_box_format="xyxy", seed=1
    )
    windows = windows_of(layer(data), 16, 24)
    box = data["bounding_boxes"]["boxes"][:, 0]
    size = box[:, 2:] - box[:, :2]
    lost = np.maximum(windows[:, :2] - box[:, :2], box[:, 2:] - windows[:, 2:]) / size
    assert 0.45 * erosion < lost.max() < 0.5 * erosion + 1e-3


def test_an_image_without_a_box_is_cut_like_a_random_resized_crop():
    data = boxed(1000)
    data["bounding_boxes"]["labels"][:] = -1
    layer = augment.BoxSafeCrop(
        16, 24, scale=(0.1, 0.3), bounding_box_format="xyxy", seed=1
    )
    windows = windows_of(layer(data), 16, 24)
    width, height = (windows[:, 2:] - windows[:, :2]).T
    area = width * height / (WIDTH * HEIGHT)
    assert stats.kstest(area, stats.uniform(0.1, 0.2).cdf).pvalue > 1e-3
    aspect = np.log(width / height)
    within = stats.uniform(np.log(3 / 4), np.log(16 / 9))
    assert stats.kstest(aspect, within.cdf).pvalue > 1e-3
    layer = augment.BoxSafeCrop(16, 24, scale=(0.1, 0.3), seed=1)
    without = layer({key: data[key] for key in ("images", "keypoints")})
    close(windows_of(without, 16, 24), windows, 1e-3)


def test_the_window_stays_within_the_image_where_boxes_do_not():
    data = boxed(64)
    data["bounding_boxes"]["boxes"][:, 0] = [-9, -5, WIDTH + 7, HEIGHT / 2]
    layer = augment.BoxSafeCrop(16, 24, bounding_box_format="xyxy", seed=1)
    windows = windows_of(layer(data), 16, 24)
    close(windows[:, [0, 1, 2]], [[0, 0, WIDTH]] * 64, 1e-3)
    assert (windows[:, 3] < HEIGHT + 1e-3).all()


def test_boxes_are_seen_where_the_motion_before_has_put_them():
    data = boxed(64)
    turn = augment.RandomFlip(seed=2, bounding_box_format="xyxy")
    shift = augment.RandomTranslation(0.3, 0.3, fill_mode="constant")
    crop = augment.BoxSafeCrop(HEIGHT, WIDTH, seed=1)
    results = [
        to_numpy(augment.Pipeline([turn, shift, crop], fused=fused, seed=3)(data))
        for fused in (True, False)
    ]
    for key in ("boxes", "labels"):
        one, other = [result["bounding_boxes"][key] for result in results]
        close(one, other, 1e-2)
    assert (results[0]["bounding_boxes"]["labels"][:, :3] == -1).any()


def test_the_frames_of_a_video_have_one_window_that_holds_their_boxes():
    data = boxed(24)
    data = {
        key: value.reshape(8, 3, *value.shape[1:])
        for key, value in {
            **data,
            "boxes": data["bounding_boxes"]["boxes"],
            "labels": data["bounding_boxes"]["labels"],
        }.items()
        if key != "bounding_boxes"
    }
    data["bounding_boxes"] = {key: data.pop(key) for key in ("boxes", "labels")}
    layer = augment.BoxSafeCrop(16, 24, bounding_box_format="xyxy", seed=1)
    outputs = to_numpy(layer(data))
    points = outputs["keypoints"]
    close(points, points[:, :1].repeat(3, axis=1), 1e-3)
    kept = outputs["bounding_boxes"]["boxes"][:, :, :3]
    assert kept.min() > -1e-3
    assert (kept[..., 2:] < [24 + 1e-3, 16 + 1e-3]).all()
    windows = windows_of({"keypoints": points[:, 0]}, 16, 24)
    scale = [24, 16] / (windows[:, 2:] - windows[:, :2])
    area = (
        np.prod(kept[..., 2:] - kept[..., :2], axis=-1)
        / np.prod(scale, -1)[:, None, None]
    )
    before = data["bounding_boxes"]["boxes"][:, :, :3]
    close(area, np.prod(before[..., 2:] - before[..., :2], axis=-1), 0.05)


def test_at_inference_a_box_safe_crop_is_the_largest_window_in_the_middle():
    data = boxed(2)
    outputs = augment.BoxSafeCrop(8, 8, bounding_box_format="xyxy")(
        data, training=False
    )
    matrix = np.diag([0.4, 0.4, 1.0]) @ oracles.translation(-5, 0)
    expected = warped(data["images"], [matrix] * 2, (8, 8), "bilinear", "nearest")
    close(outputs["images"], expected)
