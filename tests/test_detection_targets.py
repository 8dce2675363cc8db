"""Points, anchors, codings and who has to find which box, against plain loops."""

import keras
import numpy as np
import pytest

from perfkit._backend import compiled
from perfkit.ops.detection import anchors, assignment, coding, points

STRIDES = (4, 8, 16)
PLACES, STRIDE_OF = points.points(30, 44, STRIDES)
RANGES = points.ranges(STRIDE_OF, 3.0)
ANCHORS = anchors.anchors(30, 44, STRIDES, (2.0, 3.0), (0.5, 1.0, 2.0))


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def scene(seed, batch=4, count=5):
    draw = np.random.default_rng(seed)
    low = draw.uniform(0, 25, (batch, count, 2))
    boxes = np.concatenate([low, low + draw.uniform(3, 25, low.shape)], axis=-1)
    classes = draw.integers(-1, 4, (batch, count))
    classes[-1] = -1  # an image without objects
    boxes[classes < 0] = [(0, 0, 44, 30)]  # padding may hold whatever
    return boxes.astype("float32"), classes


def test_points_are_the_middles_of_the_cells_of_each_map():
    assert len(PLACES) == 8 * 11 + 4 * 6 + 2 * 3
    np.testing.assert_array_equal(PLACES[[0, 1, 11]], [[2, 2], [6, 2], [2, 6]])
    np.testing.assert_array_equal(PLACES[[88, -1]], [[4, 4], [40, 24]])
    np.testing.assert_array_equal(
        np.unique(STRIDE_OF, return_counts=True), [STRIDES, (88, 24, 6)]
    )


def test_ranges_are_those_of_the_paper():
    _, stride_of = points.points(128, 128, (8, 16, 32, 64, 128))
    found = np.unique(points.ranges(stride_of), axis=0)
    expected = [(0, 64), (64, 128), (128, 256), (256, 512), (512, np.inf)]
    np.testing.assert_array_equal(found, expected)


def test_anchors_have_the_middles_areas_and_ratios_asked_for():
    each = ANCHORS.reshape(-1, 6, 4)
    assert len(each) == len(PLACES)
    np.testing.assert_allclose(
        (each[..., :2] + each[..., 2:]) / 2, np.repeat(PLACES[:, None], 6, 1), atol=1e-4
    )
    width, height = np.moveaxis(each[..., 2:] - each[..., :2], -1, 0)
    scales = np.array([2.0, 3.0] * 3) * STRIDE_OF[:, None]
    np.testing.assert_allclose(width * height, scales**2, rtol=1e-4)
    np.testing.assert_allclose(
        height / width, [[0.5] * 2 + [1.0] * 2 + [2.0] * 2] * len(each), rtol=1e-4
    )


def test_codings_are_the_papers_and_undone():
    boxes, _ = scene(0, batch=2, count=len(ANCHORS))
    found = numpy(coding.encode(boxes, ANCHORS))
    (x1, y1, x2, y2), (a1, b1, a2, b2) = (
        np.moveaxis(x, -1, 0).astype(float) for x in (boxes, ANCHORS)
    )
    width, height = a2 - a1, b2 - b1
    expected = [
        (x1 + x2 - a1 - a2) / 2 / width,
        (y1 + y2 - b1 - b2) / 2 / height,
        np.log((x2 - x1) / width),
        np.log((y2 - y1) / height),
    ]
    np.testing.assert_allclose(np.moveaxis(found, -1, 0), expected, atol=1e-4)
    np.testing.assert_allclose(numpy(coding.decode(found, ANCHORS)), boxes, atol=1e-3)
    huge = numpy(coding.decode(np.full((1, 4), 99.0, "float32"), ANCHORS[:1]))
    assert (huge[:, 2:] - huge[:, :2] <= 63 * (ANCHORS[:1, 2:] - ANCHORS[:1, :2])).all()


def test_distances_are_in_strides_and_undone():
    boxes, _ = scene(1, batch=2, count=len(PLACES))
    found = numpy(coding.distances(PLACES, boxes, STRIDE_OF))
    x, y = PLACES.T
    expected = np.stack(
        [x - boxes[..., 0], y - boxes[..., 1], boxes[..., 2] - x, boxes[..., 3] - y], -1
    )
    np.testing.assert_allclose(found, expected / STRIDE_OF[:, None], atol=1e-5)
    np.testing.assert_allclose(
        numpy(coding.distances(PLACES, boxes)), expected, atol=1e-5
    )
    again = numpy(coding.from_distances(PLACES, found, STRIDE_OF))
    np.testing.assert_allclose(again, boxes, atol=1e-4)
    np.testing.assert_allclose(
        numpy(coding.from_distances(PLACES, expected)), boxes, atol=1e-4
    )


def fcos_by_hand(boxes, classes, radius):
    matched = np.full((len(boxes), len(PLACES)), -1)
    for image, n in np.ndindex(matched.shape):
        x, y = PLACES[n]
        least = np.inf
        for k, (x1, y1, x2, y2) in enumerate(boxes[image]):
            edges = [x - x1, y - y1, x2 - x, y2 - y]
            low, high = RANGES[n]
            inside = min(edges) > 0 and low <= max(edges) <= high
            if radius is not None:
                off = max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2))
                inside = inside and off < radius * STRIDE_OF[n]
            area = (x2 - x1) * (y2 - y1)
            if inside and classes[image, k] >= 0 and area < least:
                least, matched[image, n] = area, k
    return matched


@pytest.mark.parametrize("radius", [1.5, None])
def test_a_point_has_the_smallest_box_that_it_may_find(radius):
    boxes, classes = scene(2)
    found = assignment.fcos(PLACES, STRIDE_OF, boxes, classes, RANGES, radius)
    expected = fcos_by_hand(boxes, classes, radius)
    assert len(np.unique(expected)) > 4
    np.testing.assert_array_equal(numpy(found), expected)
    assert (numpy(found)[-1] == -1).all()


def iou(a, b):
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = np.prod(np.maximum(sides, 0))
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


def by_hand(boxes, classes, positive, negative, force):
    matched = np.full((len(boxes), len(ANCHORS)), -1)
    for image, kinds in enumerate(classes):
        real = np.flatnonzero(kinds >= 0)
        if not len(real):
            continue
        table = np.array([[iou(a, boxes[image, k]) for k in real] for a in ANCHORS])
        best = table.max(axis=1)
        matched[image, best >= negative] = -2
        sure = best >= positive
        matched[image, sure] = real[table.argmax(axis=1)][sure]
        if force:
            wins = {}
            for k, column in zip(real, table.T, strict=True):
                n = column.argmax()
                if column[n] > 0 and column[n] > wins.get(n, (0, 0))[0]:
                    wins[n] = column[n], k
            for n, (_, k) in wins.items():
                matched[image, n] = k
    return matched


@pytest.mark.parametrize("force", [True, False])
def test_an_anchor_has_the_box_it_overlaps_most(force):
    boxes, classes = scene(3)
    found = assignment.by_overlap(ANCHORS, boxes, classes, 0.5, 0.4, force)
    expected = by_hand(boxes.astype(float), classes, 0.5, 0.4, force)
    assert {-2, -1, 0, 1} <= set(np.unique(expected))
    np.testing.assert_array_equal(numpy(found), expected)


def test_of_boxes_that_want_the_same_anchor_it_has_the_nearer_one():
    anchor = np.array([[0.0, 0.0, 10.0, 10.0], [100.0, 0.0, 110.0, 10.0]])
    boxes = np.array([[[0.0, 0.0, 3.0, 3.0], [0.0, 0.0, 4.0, 4.0], [500, 0, 510, 10]]])
    found = assignment.by_overlap(anchor, boxes, np.zeros((1, 3)))
    np.testing.assert_array_equal(numpy(found), [[1, -1]])


@pytest.mark.parametrize("name", ["fcos", "by_overlap"])
def test_without_room_for_boxes_nothing_is_matched(name):
    boxes, classes = np.zeros((2, 0, 4), "float32"), np.zeros((2, 0))
    if name == "fcos":
        found = assignment.fcos(PLACES, STRIDE_OF, boxes, classes, RANGES)
        assert (numpy(found) == np.full((2, len(PLACES)), -1)).all()
    else:
        found = assignment.by_overlap(ANCHORS, boxes, classes)
        assert (numpy(found) == np.full((2, len(ANCHORS)), -1)).all()


class Targets(keras.layers.Layer):
    def call(self, boxes, classes):
        return [
            assignment.fcos(PLACES, STRIDE_OF, boxes, classes, RANGES),
            assignment.by_overlap(ANCHORS, boxes, classes),
        ]


def test_they_compile_to_the_same_for_any_batch():
    boxes, classes = scene(4)
    inputs = keras.Input((5, 4)), keras.Input((5,), dtype="int32")
    layer = Targets()
    model = keras.Model(inputs, layer(*inputs))
    assert model.output_shape == [(None, len(PLACES)), (None, len(ANCHORS))]
    expected = [
        fcos_by_hand(boxes, classes, 1.5),
        by_hand(boxes.astype(float), classes, 0.5, 0.4, True),
    ]
    for function in (model, compiled(layer)):
        arguments = [boxes, classes] if function is model else (boxes, classes)
        found = function(arguments) if function is model else function(*arguments)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(numpy(one), other)
