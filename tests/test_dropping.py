"""What is dropped, where, and what comes in its place."""

import cv2
import numpy as np
import pytest
from scipy import ndimage, stats

from perfkit import augment
from perfkit._backend import ops
from perfkit.ops import dropping
from tests.oracles import drawn, noise, to_numpy

SIZE = 23, 31


def dropped_by(layer, images=400, size=SIZE):
    """Booleans: what a layer with `fill_value=1` drops of black images."""
    return to_numpy(layer(np.zeros((images, *size, 1), "float32")))[..., 0] == 1


def hulls(dropped):
    """Top, bottom, left and right of what is dropped of each image."""
    rows, columns = dropped.any(axis=2), dropped.any(axis=1)
    ends = [
        (axis.argmax(axis=1), axis.shape[1] - axis[:, ::-1].argmax(axis=1))
        for axis in (rows, columns)
    ]
    return np.stack([*ends[0], *ends[1]], axis=1)


# What comes in the place


def drops(**arguments):
    return [
        augment.RandomErasing(scale=(0.3, 0.3), seed=1, **arguments),
        augment.GridMask(seed=1, **arguments),
        augment.CoarseDropout(seed=1, **arguments),
    ]


@pytest.mark.parametrize("fill_value", [7.0, [7.0, 8.0, 9.0], (0, 0, 255)])
def test_a_number_or_a_colour_fills_what_is_dropped(fill_value):
    images = noise(4, *SIZE, 3) + 1000
    for layer in drops(fill_value=fill_value):
        out = to_numpy(layer(images))
        dropped = (out != images).all(axis=-1)
        assert 0.01 < dropped.mean() < 0.5
        assert (out[dropped] == np.array(fill_value, "float32")).all()
        np.testing.assert_array_equal(out[~dropped], images[~dropped])


def test_the_mean_fills_what_is_dropped():
    images = noise(4, *SIZE, 3)
    for layer in drops(fill_value="mean"):
        out = to_numpy(layer(images))
        for ours, image in zip(out, images, strict=True):
            dropped = (ours != image).all(axis=-1)
            expected = image.mean(axis=(0, 1)) + np.zeros_like(ours[dropped])
            np.testing.assert_allclose(ours[dropped], expected, rtol=1e-4)


@pytest.mark.parametrize("value_range", [(0, 255), (-1, 1)])
def test_noise_is_uniform_over_the_range(value_range):
    low, high = value_range
    images = np.full((16, 40, 40, 3), 1000.0, "float32")
    for layer in drops(fill_value="noise", value_range=value_range):
        out = to_numpy(layer(images))
        filled = out[(out != 1000.0).all(axis=-1)]
        assert stats.kstest(filled[:, 0], "uniform", (low, high - low)).pvalue > 1e-3
        bound = 5 / np.sqrt(len(filled))
        assert abs(np.corrcoef(filled[:, 0], filled[:, 1])[0, 1]) < bound


def test_a_colour_has_as_many_numbers_as_channels():
    for layer in drops(fill_value=[1.0, 2.0, 3.0]):
        for channels in (1, 4):
            with pytest.raises(ValueError, match=f"{layer.name}: has 3 .* {channels}"):
                layer(noise(2, *SIZE, channels))


def test_annotations_stay():
    masks = np.ones((2, *SIZE, 1), "int32")
    boxes = np.tile(np.array([[1, 2, 20, 20]], "float32"), (2, 1, 1))
    for layer in drops(bounding_box_format="xyxy"):
        out = to_numpy(
            layer(
                {
                    "images": noise(2, *SIZE, 3),
                    "segmentation_masks": masks,
                    "bounding_boxes": {
                        "boxes": boxes,
                        "labels": np.zeros((2, 1), "int32"),
                    },
                    "keypoints": boxes[..., :2],
                }
            )
        )
        np.testing.assert_array_equal(out["segmentation_masks"], masks)
        np.testing.assert_array_equal(out["bounding_boxes"]["boxes"], boxes)
        np.testing.assert_array_equal(out["bounding_boxes"]["labels"], 0)
        np.testing.assert_array_equal(out["keypoints"], boxes[..., :2])


# Erasing


def test_erasing_fills_one_rectangle_of_the_drawn_sides():
    layer = augment.RandomErasing(scale=(0.05, 0.5), fill_value=1.0, seed=1)
    params = drawn(layer, 400)
    dropped = dropped_by(layer)
    top, bottom, left, right = hulls(dropped).T
    assert (dropped.sum(axis=(1, 2)) == (bottom - top) * (right - left)).all()
    for length, side, share in (
        (bottom - top, SIZE[0], params["tall"]),
        (right - left, SIZE[1], params["wide"]),
    ):
        np.testing.assert_array_equal(length, np.round(share * np.float32(side)))
        area = (share**2 - 0.05) / 0.45
        assert stats.kstest(area, "uniform").pvalue > 1e-3


def test_rectangles_lie_anywhere_within_the_image():
    layer = augment.RandomErasing(scale=(0.25, 0.25), fill_value=1.0, seed=1)
    top, bottom, left, right = hulls(dropped_by(layer, 2000)).T
    for start, end, side in ((top, bottom, SIZE[0]), (left, right, SIZE[1])):
        assert len(np.unique(end - start)) == 1
        places = side - (end - start)[0] + 1
        counts = np.bincount(start, minlength=places)
        assert len(counts) == places
        assert stats.chisquare(counts).pvalue > 1e-3
    assert abs(np.corrcoef(top, left)[0, 1]) < 4 / np.sqrt(2000)


# Coarse dropout


def test_holes_are_as_many_as_drawn_and_of_the_given_sizes():
    layer = augment.CoarseDropout((1, 3), (0.1, 0.2), 0.125, fill_value=1.0, seed=1)
    size = 80, 80
    number = drawn(layer, 200)["number"]
    assert np.unique(number).tolist() == [1, 2, 3]
    dropped = dropped_by(layer, 200, size)
    one = dropped[number == 1]
    top, bottom, left, right = hulls(one).T
    assert (one.sum(axis=(1, 2)) == (bottom - top) * (right - left)).all()
    assert (right - left == 10).all()
    assert np.unique(bottom - top).tolist() == list(range(8, 17))
    found = [ndimage.label(image)[1] for image in dropped]
    assert (found <= number).all()
    assert (found == number)[number == 1].all()
    assert (found == number)[number == 3].mean() > 0.7  # few touch
    assert len({tuple(edges) for edges in hulls(one)}) > 0.9 * len(one)


def test_holes_are_the_union_of_their_rectangles():
    """Against rectangles painted one by one, from the same numbers."""
    images, most = 8, 5
    numbers = np.random.default_rng(0).uniform(size=(images, 4, most)).astype("float32")
    count = np.arange(images) % most + 1
    before, dropping.noise.uniform = dropping.noise.uniform, lambda *_: numbers
    try:
        ours = dropping.holes(
            None,
            ops.convert_to_tensor(count.reshape(-1, 1, 1, 1), dtype="float32"),
            most,
            (0.1, 0.5),
            (0.2, 0.4),
            *SIZE,
        )
    finally:
        dropping.noise.uniform = before
    expected = np.zeros((images, *SIZE), bool)
    for image in range(images):
        for tall, wide, y, x in numbers[image].T[: count[image]]:
            rows, columns = (
                round((low + (high - low) * share) * side)
                for low, high, share, side in (
                    (0.1, 0.5, tall, SIZE[0]),
                    (0.2, 0.4, wide, SIZE[1]),
                )
            )
            top = int(y * (SIZE[0] - rows + 1))
            left = int(x * (SIZE[1] - columns + 1))
            expected[image, top : top + rows, left : left + columns] = True
    np.testing.assert_array_equal(to_numpy(ours)[..., 0], expected)


# GridMask


def test_an_upright_grid_is_painted_unit_by_unit():
    layer = augment.GridMask(
        (0.2, 0.5), (0.3, 0.7), rotation_factor=0.0, fill_value=1.0, seed=1
    )
    params = drawn(layer, 16)
    middle = SIZE[0] / 2, SIZE[1] / 2
    for k, ours in enumerate(dropped_by(layer, 16)):
        unit = params["unit"][k] * min(SIZE)
        square = unit * (1 - params["kept"][k])
        painted = np.zeros(SIZE, bool)
        for row in range(-10, 10):
            for column in range(-10, 10):
                top = middle[0] + (row - params["y"][k]) * unit
                left = middle[1] + (column - params["x"][k]) * unit
                y, x = np.ogrid[: SIZE[0], : SIZE[1]]
                inside = (y + 0.5 >= top) & (y + 0.5 < top + square)
                painted |= inside & (x + 0.5 >= left) & (x + 0.5 < left + square)
        assert (ours != painted).mean() < 0.005  # edges on pixel centres


def test_a_turned_grid_has_turned_squares():
    layer = augment.GridMask(
        0.25, (0.4, 0.6), rotation_factor=0.5, fill_value=1.0, seed=1
    )
    params = drawn(layer, 12)
    assert np.ptp(params["turns"]) > 0.5
    compared = 0
    for k, ours in enumerate(dropped_by(layer, 12, (200, 200))):
        labels, count = ndimage.label(ours)
        for number in range(1, count + 1):
            y, x = np.nonzero(labels == number)
            if min(y.min(), x.min()) == 0 or max(y.max(), x.max()) == 199:
                continue  # cut off by the border
            points = np.stack([x, y], axis=1).astype("float32")
            _, sides, angle = cv2.minAreaRect(points)
            expected = 50 * (1 - params["kept"][k])
            np.testing.assert_allclose(np.add(sides, 1), expected, atol=2.0)
            # OpenCV's angle is clockwise, and that of a square is one of four.
            off = (angle + 360 * params["turns"][k] + 45) % 90 - 45
            assert abs(off) < 4
            compared += 1
    assert compared > 60


def test_the_grid_drops_the_square_of_what_the_gaps_leave():
    layer = augment.GridMask(0.3, 0.6, fill_value=1.0, seed=1)
    share = dropped_by(layer, 500).mean(axis=(1, 2))
    assert abs(share.mean() - 0.16) < 4 * share.std() / np.sqrt(500)
    assert np.ptp(share) > 0.02
