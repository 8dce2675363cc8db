"""What heads predict and what it costs, against plain loops of NumPy."""

import keras
import numpy as np
import pytest

from perfkit import layers
from tests.layer_conformance.common import numpy, set_weights

SIZE, STRIDES = (32, 40), [8, 16]
RNG = np.random.default_rng(0)
MAPS = [
    RNG.normal(size=(2, rows, columns, 8)).astype("float32")
    for rows, columns in ((4, 5), (2, 3))
]
BOXES = np.array(
    [
        [[2.3, 3.1, 14.6, 12.2], [10.7, 8.4, 38.1, 30.9], [0, 0, 0, 0]],
        [[20.2, 4.7, 31.5, 25.1], [0, 0, 0, 0], [0, 0, 0, 0]],
    ],
    "float32",
)
LABELS = np.array([[2, 0, -1], [1, -1, -1]], "int32")


def places():
    """Points, and the stride of each."""
    return [
        ((column + 0.5) * stride, (row + 0.5) * stride, stride)
        for stride in STRIDES
        for row in range(-(-SIZE[0] // stride))
        for column in range(-(-SIZE[1] // stride))
    ]


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def focal(logits, kind, alpha=0.25, gamma=2.0):
    total = 0.0
    for number, logit in enumerate(logits):
        sure = sigmoid(logit)
        if number == kind:
            total -= alpha * (1 - sure) ** gamma * np.log(sure)
        else:
            total -= (1 - alpha) * sure**gamma * np.log(1 - sure)
    return total


def giou(one, other):
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(across, 0.0) * max(down, 0.0)
    union = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)) - both
    around = (max(one[2], other[2]) - min(one[0], other[0])) * (
        max(one[3], other[3]) - min(one[1], other[1])
    )
    return both / union - (around - union) / around


def of_point(x, y, stride, boxes, labels, reach, radius):
    """The number of the box that a point is to find, or None."""
    best = None
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        far = max(x - x1, y - y1, x2 - x, y2 - y)
        inside = min(x - x1, y - y1, x2 - x, y2 - y) > 0
        low = 0.0 if stride == STRIDES[0] else reach * STRIDES[0]
        high = np.inf if stride == STRIDES[-1] else reach * stride
        near = max(abs(x - (x1 + x2) / 2), abs(y - (y1 + y2) / 2)) < radius * stride
        if labels[number] >= 0 and inside and near and low <= far <= high:
            area = (x2 - x1) * (y2 - y1)
            if best is None or area < best[0]:
                best = area, number
    return best and best[1]


def test_costs_of_points_are_those_of_the_paper():
    head = layers.FCOSHead(3, reach=2.0, box_weight=2.0)
    count = len(places())
    predictions = {
        name: RNG.normal(0, 0.7, (2, count, size)).astype("float32")
        for name, size in (("classes", 3), ("boxes", 4), ("centers", 1))
    }
    made = head.costs(predictions, BOXES, LABELS, SIZE, STRIDES)
    of_class = of_box = of_center = found = mass = 0.0
    for image in range(2):
        for at, (x, y, stride) in enumerate(places()):
            hit = of_point(x, y, stride, BOXES[image], LABELS[image], 2.0, 1.5)
            kind = None if hit is None else LABELS[image, hit]
            of_class += focal(predictions["classes"][image, at], kind)
            if hit is None:
                continue
            box = BOXES[image, hit]
            a, b, c, d = x - box[0], y - box[1], box[2] - x, box[3] - y
            near = np.sqrt(min(a, c) / max(a, c) * min(b, d) / max(b, d))
            left, top, right, bottom = stride * np.exp(predictions["boxes"][image, at])
            of_box += near * (1 - giou(box, (x - left, y - top, x + right, y + bottom)))
            sure = sigmoid(predictions["centers"][image, at, 0])
            of_center -= near * np.log(sure) + (1 - near) * np.log(1 - sure)
            found += 1
            mass += near
    assert found >= 5
    wanted = {
        "class_loss": of_class / found,
        "box_loss": 2.0 * of_box / max(mass, 1.0),
        "center_loss": of_center / found,
    }
    assert tuple(made) == head.cost_names
    for name, value in wanted.items():
        np.testing.assert_allclose(numpy(made[name]), value, rtol=1e-4)


def anchors_of(scales, ratios):
    return [
        (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        for x, y, stride in places()
        for ratio in ratios
        for scale in scales
        for w, h in [(stride * scale / np.sqrt(ratio), stride * scale * np.sqrt(ratio))]
    ]


def iou(one, other):
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    both = max(across, 0.0) * max(down, 0.0)
    return both / (sum((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other)) - both)


def test_costs_of_anchors_are_those_of_the_paper():
    # Anchors inside of a box would be equally good.
    scales, ratios = (1.4, 1.9), (0.5, 1.0)
    head = layers.RetinaNetHead(3, scales=scales, ratios=ratios)
    anchors = anchors_of(scales, ratios)
    predictions = {
        "classes": RNG.normal(size=(2, len(anchors), 3)).astype("float32"),
        "boxes": RNG.normal(0, 0.3, (2, len(anchors), 4)).astype("float32"),
    }
    made = head.costs(predictions, BOXES, LABELS, SIZE, STRIDES)
    of_class = of_box = found = left_out = 0.0
    for image in range(2):
        boxes = BOXES[image][LABELS[image] >= 0]
        table = np.array([[iou(a, b) for b in boxes] for a in anchors])
        for at, (anchor, row) in enumerate(zip(anchors, table, strict=True)):
            forced = [k for k in range(len(boxes)) if table[:, k].argmax() == at]
            hit = int(row.argmax()) if row.max() >= 0.5 else None
            hit = max(forced, key=lambda k: row[k]) if forced else hit
            if hit is None and row.max() >= 0.4:
                left_out += 1
                continue
            kind = None if hit is None else LABELS[image, hit]
            of_class += focal(predictions["classes"][image, at], kind)
            if hit is None:
                continue
            x1, y1, x2, y2 = anchor
            w, h = x2 - x1, y2 - y1
            box = boxes[hit]
            wanted = (
                ((box[0] + box[2]) - (x1 + x2)) / 2 / w,
                ((box[1] + box[3]) - (y1 + y2)) / 2 / h,
                np.log((box[2] - box[0]) / w),
                np.log((box[3] - box[1]) / h),
            )
            for off in np.abs(predictions["boxes"][image, at] - wanted):
                of_box += 4.5 * off**2 if off < 1 / 9 else off - 1 / 18
            found += 1
    assert found >= 3
    assert left_out
    np.testing.assert_allclose(numpy(made["class_loss"]), of_class / found, rtol=1e-4)
    np.testing.assert_allclose(numpy(made["box_loss"]), of_box / found, rtol=1e-4)


HEADS = {
    "fcos": lambda **more: layers.FCOSHead(3, depth=1, reach=2.0, **more),
    "retinanet": lambda **more: layers.RetinaNetHead(
        3, depth=1, scales=(1.0, 1.6), **more
    ),
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("loss", ["giou", "ciou"])
def test_images_without_objects_cost_a_finite_number(name, loss):
    head = HEADS[name](box_loss=loss)
    predictions = head(MAPS)
    none = np.full((2, 3), -1, "int32")
    costs = head.costs(predictions, np.zeros_like(BOXES), none, SIZE, STRIDES)
    assert np.isfinite([float(x) for x in costs.values()]).all()
    assert float(costs["class_loss"]) > 0.0
    assert float(costs["box_loss"]) == 0.0


@pytest.mark.parametrize("name", HEADS)
def test_classes_are_rare_at_first(name):
    logits = HEADS[name](prior=0.02)(MAPS)["classes"]
    assert abs(numpy(keras.ops.sigmoid(logits)).mean() - 0.02) < 0.005


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("normalization", ["batch", "group", None])
def test_channels_first_is_channels_last_transposed(name, normalization):
    head = HEADS[name](normalization=normalization)
    head(MAPS)
    set_weights(head)
    other = HEADS[name](normalization=normalization, data_format="channels_first")
    moved = [np.moveaxis(x, -1, 1) for x in MAPS]
    other(moved)
    other.set_weights([numpy(weight) for weight in head.weights])
    wanted = head(MAPS)
    for key, value in other(moved).items():
        np.testing.assert_allclose(numpy(value), numpy(wanted[key]), atol=1e-5)


def test_maps_are_normalized_by_themselves():
    head = HEADS["fcos"](normalization="batch")
    head(MAPS)
    fine, coarse = head.towers[0].steps[0].normalize
    head([MAPS[0], 5.0 + MAPS[1]], training=True)
    assert not np.allclose(numpy(fine.moving_mean), numpy(coarse.moving_mean))


@pytest.mark.parametrize("name", HEADS)
def test_predictions_are_float32_and_of_known_shapes(name):
    head = HEADS[name](dtype="mixed_bfloat16")
    symbolic = head([keras.Input(x.shape[1:]) for x in MAPS])
    real = head(MAPS)
    for key, value in real.items():
        assert keras.backend.standardize_dtype(value.dtype) == "float32"
        assert symbolic[key].dtype == "float32"
        assert tuple(symbolic[key].shape) == (None, *value.shape[1:])
    of_any_size = head([keras.Input((None, None, 8)) for _ in MAPS])
    assert of_any_size["boxes"].shape == (None, None, 4)


@pytest.mark.parametrize(
    ("make", "wording"),
    [
        (lambda: layers.FCOSHead(0), r"FCOSHead\(classes=...\)"),
        (lambda: layers.FCOSHead(2, reach=0), r"FCOSHead\(reach=...\)"),
        (lambda: layers.FCOSHead(2, radius=-1.0), r"FCOSHead\(radius=...\)"),
        (lambda: layers.FCOSHead(2, box_loss="smooth_l1"), r"\(box_loss=...\)"),
        (lambda: layers.FCOSHead(2, prior=1.0), r"FCOSHead\(prior=...\)"),
        (lambda: layers.FCOSHead(2, filters=0), r"FCOSHead\(filters=...\)"),
        (lambda: layers.RetinaNetHead(2, scales=()), r"\(scales=...\)"),
        (lambda: layers.RetinaNetHead(2, ratios=(0.0,)), r"\(ratios=...\)"),
        (lambda: layers.RetinaNetHead(2, negative=0.6), r"\(negative=...\)"),
        (lambda: layers.FCOSHead(2)([MAPS[0], MAPS[1][..., :4]]), "one number of"),
    ],
)
def test_wrong_arguments_are_refused(make, wording):
    with pytest.raises(ValueError, match=wording):
        make()
