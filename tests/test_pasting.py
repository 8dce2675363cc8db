"""Mosaic and CopyPaste, against NumPy slices given the drawn parameters."""

import numpy as np
import pytest
from scipy import stats

from perfkit import augment
from perfkit.ops import noise as fields_of_noise
from tests.conformance.common import run_uncompiled
from tests.oracles import drawn, noise, to_numpy

BATCH, HEIGHT, WIDTH = 12, 10, 14
ONE_HOT = np.eye(BATCH, dtype="float32")


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    run_uncompiled(monkeypatch)


def close(actual, expected, tolerance=1e-4):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


# Mosaic


def mosaic(**more):
    return augment.Mosaic(seed=1, bounding_box_format="xyxy", **more)


def tiles(layer):
    """Of each sample: whose each tile is, and the point where they meet."""
    params = drawn(layer, BATCH)
    for k in range(BATCH):
        x, y = (
            round(float(params["x"][k]) * WIDTH),
            round(float(params["y"][k]) * HEIGHT),
        )
        names = ("upper_left", "upper_right", "lower_left")
        yield [*[params[name][k] for name in names], k], x, y


def put_together(grids, partners, x, y):
    """One picture out of corners of four."""
    a, b, c, d = [grids[k] for k in partners]
    top, left = slice(HEIGHT - y, None), slice(WIDTH - x, None)
    bottom, right = slice(HEIGHT - y), slice(WIDTH - x)
    upper = np.concatenate([a[top, left], b[top, right]], axis=1)
    lower = np.concatenate([c[bottom, left], d[bottom, right]], axis=1)
    return np.concatenate([upper, lower])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_mosaic_is_made_of_the_corners_of_four_images(dtype):
    images = noise(BATCH, HEIGHT, WIDTH, 3)
    masks = noise(BATCH, HEIGHT, WIDTH, 1).astype(dtype)
    layer = mosaic()
    whose = list(tiles(layer))
    out = to_numpy(layer({"images": images, "segmentation_masks": masks}))
    expected = np.stack([put_together(images, *tile) for tile in whose])
    np.testing.assert_array_equal(out["images"], expected)
    expected = np.stack([put_together(masks, *tile) for tile in whose])
    assert out["segmentation_masks"].dtype == dtype
    np.testing.assert_array_equal(out["segmentation_masks"], expected)
    assert sum(len(set(partners)) == 4 for partners, _, _ in whose) > BATCH // 2


@pytest.mark.parametrize("kind", ["classes", "column of classes", "one-hot"])
def test_labels_of_a_mosaic_are_mixed_by_the_pixels_of_each(kind):
    labels = {
        "classes": np.arange(BATCH),
        "column of classes": np.arange(BATCH, dtype="uint8")[:, None],
        "one-hot": ONE_HOT,
    }[kind]
    images = np.tile(np.arange(BATCH)[:, None, None, None], (1, HEIGHT, WIDTH, 1))
    layer = mosaic(classes=None if kind == "one-hot" else BATCH)
    out = to_numpy(layer({"images": images, "labels": labels}))
    for picture, label in zip(out["images"].astype(int), out["labels"], strict=True):
        counts = np.bincount(picture.ravel(), minlength=BATCH)
        close(label, counts / (HEIGHT * WIDTH), 1e-6)


def boxed():
    rng = np.random.default_rng(3)
    corners = np.sort(rng.uniform(0, 1, (BATCH, 3, 2, 2)), axis=2)
    corners = (corners * [WIDTH, HEIGHT]).reshape(BATCH, 3, 4).astype("float32")
    labels = np.arange(BATCH * 3, dtype="int32").reshape(BATCH, 3)
    labels[:, 2] = -1
    return {"boxes": corners, "labels": labels}


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_boxes_of_a_mosaic_are_those_of_all_four_as_far_as_they_are_seen(share):
    layer = mosaic(min_visible=share)
    whose = list(tiles(layer))
    data = {"images": noise(BATCH, HEIGHT, WIDTH, 1), "bounding_boxes": boxed()}
    out = to_numpy(layer(data))["bounding_boxes"]
    assert out["boxes"].shape == (BATCH, 12, 4)
    corners, labels = data["bounding_boxes"].values()
    kept = 0
    for k, ((a, b, c, d), x, y) in enumerate(whose):
        parts = [
            (d, x, y, (x, y, WIDTH, HEIGHT)),
            (a, x - WIDTH, y - HEIGHT, (0, 0, x, y)),
            (b, x, y - HEIGHT, (x, 0, WIDTH, y)),
            (c, x - WIDTH, y, (0, y, x, HEIGHT)),
        ]
        for part, (other, dx, dy, frame) in enumerate(parts):
            for n in range(3):
                box = corners[other, n] + [dx, dy, dx, dy]
                seen = np.clip(box, np.tile(frame[:2], 2), np.tile(frame[2:], 2))
                area, whole = [np.prod(b[2:] - b[:2]) for b in (seen, box)]
                there = area > 1e-5 and area >= share * whole
                found = out["labels"][k, 3 * part + n]
                assert found == (labels[other, n] if there else -1)
                if there:
                    close(out["boxes"][k, 3 * part + n], seen)
                    kept += found != -1
    assert kept > BATCH


def test_keypoints_of_a_mosaic_follow_the_image_itself():
    layer = mosaic()
    whose = list(tiles(layer))
    points = noise(BATCH, 4, 3, high=10.0)
    data = {"images": noise(BATCH, HEIGHT, WIDTH, 1), "keypoints": points}
    out = to_numpy(layer({**data, "labels": ONE_HOT}))["keypoints"]
    shift = np.array([[x, y, 0] for _, x, y in whose])
    close(out, points + shift[:, None])


def test_the_four_meet_anywhere_within_the_offset():
    params = drawn(augment.Mosaic((0.1, 0.6), seed=1), 4000)
    for axis in "xy":
        assert stats.kstest(params[axis], stats.uniform(0.1, 0.5).cdf).pvalue > 1e-3


# CopyPaste


def objects(batch=BATCH, n=3, dtype="int32"):
    """Rectangles that hide each other, a padding box, and pixels of no box."""
    rng = np.random.default_rng(4)
    masks = np.zeros((batch, HEIGHT, WIDTH, 1), dtype)
    corners = np.zeros((batch, n + 1, 4), "float32")
    labels = np.full((batch, n + 1), -1, "int32")
    for k in range(batch):
        for i in range(n):
            x1, y1 = rng.integers(0, WIDTH - 4), rng.integers(0, HEIGHT - 4)
            x2, y2 = x1 + rng.integers(2, 9), y1 + rng.integers(2, 7)
            masks[k, y1:y2, x1:x2] = i + 1
        for i in range(n):
            rows, columns = np.nonzero(masks[k, ..., 0] == i + 1)
            if len(rows):
                corners[k, i] = hull(rows, columns)
                labels[k, i] = 10 * k + i
        masks[k, 0, 0] = 100
    images = noise(batch, HEIGHT, WIDTH, 2)
    return {
        "images": images,
        "segmentation_masks": masks,
        "bounding_boxes": {"boxes": corners, "labels": labels},
    }


def hull(rows, columns):
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def paste(**more):
    return augment.CopyPaste(seed=1, bounding_box_format="xyxy", **more)


def expected_pastes(layer, data):
    """Of each sample: its partner, and the numbers of the objects pasted."""
    params = drawn(layer, len(data["images"]))
    labels = data["bounding_boxes"]["labels"]
    draws = to_numpy(fields_of_noise.uniform(params["bits"], labels.shape[1]))
    for k, other in enumerate(params["partner"]):
        chosen = (draws[k] < layer.object_rate) & (labels[other] != -1) & (other != k)
        yield other, np.flatnonzero(chosen) + 1


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_objects_are_pasted_whole_and_numbered_on(dtype):
    data = objects(dtype=dtype)
    data["labels"] = ONE_HOT
    layer = paste()
    out = to_numpy(layer(data))
    images, masks = data["images"], data["segmentation_masks"]
    assert out["segmentation_masks"].dtype == dtype
    count = 0
    for k, (other, numbers) in enumerate(expected_pastes(layer, data)):
        pasted = np.isin(masks[other], numbers)
        np.testing.assert_array_equal(
            out["images"][k], np.where(pasted, images[other], images[k])
        )
        expected = np.where(pasted, masks[other] + 4, masks[k])
        np.testing.assert_array_equal(out["segmentation_masks"][k], expected)
        label = ONE_HOT[k] * (1 - pasted.mean()) + ONE_HOT[other] * pasted.mean()
        close(out["labels"][k], label, 1e-6)
        count += len(numbers)
    assert 0.25 * 3 * BATCH < count < 0.75 * 3 * BATCH


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_boxes_are_around_what_is_left_of_each_object(share):
    data = objects()
    layer = paste(object_rate=0.8, min_visible=share)
    pastes = list(expected_pastes(layer, data))
    out = to_numpy(layer(data))
    boxes, labels = out["bounding_boxes"]["boxes"], out["bounding_boxes"]["labels"]
    assert boxes.shape == (BATCH, 8, 4)
    before, numbers = data["bounding_boxes"], data["segmentation_masks"]
    cut = hidden = 0
    for k, (other, chosen) in enumerate(pastes):
        after = out["segmentation_masks"][k, ..., 0]
        for n in range(4):
            rows, columns = np.nonzero(after == n + 1)
            whole = (numbers[k] == n + 1).sum()
            if before["labels"][k, n] == -1 or len(rows) < max(share * whole, 1):
                assert labels[k, n] == -1
                hidden += before["labels"][k, n] != -1
            else:
                assert labels[k, n] == before["labels"][k, n]
                close(boxes[k, n], hull(rows, columns))
                cut += len(rows) < whole
            if n + 1 in chosen:
                assert labels[k, 4 + n] == before["labels"][other, n]
                close(boxes[k, 4 + n], before["boxes"][other, n])
            else:
                assert labels[k, 4 + n] == -1
    assert cut > 0
    assert hidden > 0


def test_a_box_wider_than_its_pixels_stays_so_while_nothing_hides_them():
    masks = np.zeros((2, 8, 8, 1), "int32")
    masks[0, 2:5, 2:5] = 1
    masks[1, 6:, 6:] = 1
    boxes = np.array([[[1.5, 1.5, 5.5, 5.5]], [[6, 6, 8, 8]]], "float32")
    data = {"images": noise(2, 8, 8, 1), "segmentation_masks": masks}
    data["bounding_boxes"] = {"boxes": boxes}
    layer = augment.CopyPaste(1.0, bounding_box_format="xyxy", seed=2)
    assert drawn(layer, 2)["partner"].tolist() == [1, 0]
    out = to_numpy(layer(data))["bounding_boxes"]["boxes"]
    np.testing.assert_array_equal(out, np.concatenate([boxes, boxes[::-1]], axis=1))


def test_a_pasted_object_can_be_pasted_again():
    data = objects()
    layers = [augment.CopyPaste(0.9), augment.CopyPaste(0.9)]
    out = to_numpy(augment.Pipeline(layers, bounding_box_format="xyxy", seed=1)(data))
    labels, numbers = out["bounding_boxes"]["labels"], out["segmentation_masks"]
    assert labels.shape == (BATCH, 16)
    twice = 0
    for k in range(BATCH):
        for n in range(16):
            rows, columns = np.nonzero(numbers[k, ..., 0] == n + 1)
            assert (labels[k, n] != -1) == (len(rows) > 0)
            if len(rows):
                close(out["bounding_boxes"]["boxes"][k, n], hull(rows, columns))
                twice += n >= 12
    assert twice > 0


# Both


@pytest.mark.parametrize("make", [mosaic, paste])
def test_samples_not_selected_are_exactly_untouched(make):
    data = {**objects(), "labels": ONE_HOT}
    data["keypoints"] = noise(BATCH, 2, 2)
    out = to_numpy(make(rate=0.5)(data))
    same = (out["images"] == data["images"]).all(axis=(1, 2, 3))
    assert 3 <= same.sum() <= BATCH - 3
    for key in ("segmentation_masks", "labels", "keypoints"):
        np.testing.assert_array_equal(out[key][same], data[key][same])
    before, after = data["bounding_boxes"], out["bounding_boxes"]
    close(after["boxes"][same, :4], before["boxes"][same])
    np.testing.assert_array_equal(after["labels"][same, :4], before["labels"][same])
    assert (after["labels"][same, 4:] == -1).all()
    assert (after["labels"][~same, 4:] != -1).any()


@pytest.mark.parametrize("make", [mosaic, paste])
def test_the_frames_of_a_video_are_mixed_alike(make):
    still = objects()
    video = {
        key: np.stack([still[key], still[key][:, ::-1]], axis=1)
        for key in ("images", "segmentation_masks")
    }
    boxes = still["bounding_boxes"]
    turned = boxes["boxes"][..., [0, 3, 2, 1]] * [1, -1, 1, -1] + [0, HEIGHT, 0, HEIGHT]
    video["bounding_boxes"] = {
        "boxes": np.stack([boxes["boxes"], turned], axis=1),
        "labels": np.stack([boxes["labels"]] * 2, axis=1),
    }
    out = to_numpy(make()({**video, "labels": ONE_HOT}))
    frame = {key: video[key][:, 1] for key in ("images", "segmentation_masks")}
    frame["bounding_boxes"] = {
        key: value[:, 1] for key, value in video["bounding_boxes"].items()
    }
    expected = to_numpy(make()(frame))
    for key in ("images", "segmentation_masks"):
        np.testing.assert_array_equal(out[key][:, 1], expected[key])
    for key, value in expected["bounding_boxes"].items():
        close(out["bounding_boxes"][key][:, 1], value)
    close(out["labels"].sum(axis=1), 1.0, 1e-6)


WRONG = {
    "no masks": (("segmentation_masks", None), r"needs 'segmentation_masks'"),
    "no boxes": (("bounding_boxes", None), r"needs 'segmentation_masks'.*\['images'"),
    "floats": (
        ("segmentation_masks", np.zeros((BATCH, HEIGHT, WIDTH, 1), "float32")),
        "integers of one channel.*float32",
    ),
    "channels": (
        ("segmentation_masks", np.zeros((BATCH, HEIGHT, WIDTH, 2), "int32")),
        r"integers of one channel.*\(12, 10, 14, 2\)",
    ),
    "too many": (
        ("bounding_boxes", {"boxes": np.zeros((BATCH, 64, 4), "float32")}),
        "masks of dtype int8 cannot number .* 64 boxes",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_pasted_is_refused(kind):
    (key, value), message = WRONG[kind]
    data = objects(dtype="int8" if kind == "too many" else "int32")
    layer = augment.CopyPaste(bounding_box_format="xyxy", name="my_layer")
    with pytest.raises(ValueError, match=f"^my_layer: .*{message}"):
        layer({**data, "labels": ONE_HOT, key: value})
