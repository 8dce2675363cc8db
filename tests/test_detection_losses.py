"""Losses of boxes and of detectors' classes, against NumPy and Keras's own."""

import keras
import numpy as np
import pytest

from perfkit import losses
from perfkit._backend import compiled, differentiated
from perfkit.losses import CIoU, ConfidencePenalty, FocalCrossentropy, GIoU
from perfkit.ops.detection import overlaps

DRAW = np.random.default_rng(0)


def boxes_of(*shape):
    low = DRAW.uniform(0, 50, (*shape, 2))
    return np.concatenate([low, low + DRAW.uniform(1, 40, (*shape, 2))], -1).astype(
        "float32"
    )


TRUE, PREDICTED = boxes_of(3, 5), boxes_of(3, 5)
PREDICTED[0] = TRUE[0] + DRAW.normal(0.0, 1.0, (5, 4))
PREDICTED[1, 0] = TRUE[1, 0]
WEIGHTS = DRAW.uniform(0, 2, (3, 5)).astype("float32")
LABELS = np.array([[0, 3, -1, -2, 1], [2, -1, -1, -1, 0], [-2, -2, -1, 3, 3]])
LOGITS = (3.0 * DRAW.normal(size=(3, 5, 4))).astype("float32")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def overlap(a, b):
    """Of two boxes, by the papers: IoU, GIoU and CIoU."""
    a, b = a.astype(float), b.astype(float)
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(high - low) if (high > low).all() else 0.0
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both
    around = np.maximum(a[2:], b[2:]) - np.minimum(a[:2], b[:2])
    iou = both / union
    hull = np.prod(around)
    away = (a[:2] + a[2:] - b[:2] - b[2:]) / 2
    angles = [np.arctan2(*(x[2:] - x[:2])) for x in (a, b)]
    ratio = 4 / np.pi**2 * (angles[0] - angles[1]) ** 2
    weight = ratio / (1 - iou + ratio) if ratio else 0.0
    distance = (away**2).sum() / (around**2).sum()
    return iou, iou - (hull - union) / hull, iou - distance - weight * ratio


def pairs(*arrays):
    return zip(*arrays, strict=True)


EXPECTED = np.array(
    [[overlap(a, b) for a, b in pairs(*row)] for row in pairs(TRUE, PREDICTED)]
)


@pytest.mark.parametrize(
    ("function", "which"),
    [(overlaps.aligned, 0), (overlaps.generalized, 1), (overlaps.complete, 2)],
)
def test_overlaps_place_by_place_are_those_of_the_papers(function, which):
    found = numpy(function(TRUE, PREDICTED))
    np.testing.assert_allclose(found, EXPECTED[..., which], atol=1e-5)


def test_every_box_is_compared_with_every_other():
    found = numpy(overlaps.iou(TRUE, PREDICTED))
    expected = [
        [[overlap(a, b)[0] for b in bs] for a in xs]
        for xs, bs in zip(TRUE, PREDICTED, strict=True)
    ]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    same = numpy(overlaps.iou(TRUE[0], PREDICTED))
    np.testing.assert_allclose(same[0], expected[0], atol=1e-5)
    np.testing.assert_allclose(
        same[1], numpy(overlaps.iou(TRUE[:1], PREDICTED[1:2]))[0]
    )


@pytest.mark.parametrize(("loss", "which"), [(GIoU, 1), (CIoU, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_losses_of_boxes_are_1_less_the_overlap_weighted(loss, which, dtype):
    cost = 1.0 - EXPECTED[..., which]
    assert numpy(loss(reduction=None)(TRUE, PREDICTED)) == pytest.approx(cost, abs=1e-5)
    assert float(loss()(TRUE, PREDICTED)) == pytest.approx(cost.mean(), abs=1e-5)
    weighted = loss(reduction="mean_with_sample_weight")
    found = float(weighted(TRUE, PREDICTED.astype(dtype), WEIGHTS))
    expected = (cost * WEIGHTS).sum() / WEIGHTS.sum()
    assert found == pytest.approx(expected, abs=1e-5 if dtype == "float32" else 1e-2)


@pytest.mark.parametrize("loss", [GIoU, CIoU])
def test_a_mask_leaves_boxes_out_of_the_average(loss):
    kept = WEIGHTS > 1.0
    predictions = keras.ops.convert_to_tensor(PREDICTED)
    predictions._keras_mask = keras.ops.convert_to_tensor(kept)
    each = numpy(loss(reduction=None)(TRUE, PREDICTED))
    assert float(loss()(TRUE, predictions)) == pytest.approx(
        each[kept].mean(), abs=1e-5
    )


@pytest.mark.parametrize("function", [overlaps.generalized, overlaps.complete])
def test_slopes_are_finite_wherever_a_box_is(function):
    point = np.array([[5.0, 5.0, 5.0, 5.0]], "float32")
    other = np.array([[0.0, 0.0, 9.0, 9.0]], "float32")
    slope = differentiated(lambda b, a: keras.ops.sum(function(a, b[0])))
    for a, b in [(point, point), (other, point), (other, other + 100), (other, other)]:
        assert np.isfinite(numpy(slope([keras.ops.convert_to_tensor(b)], a)[0])).all()


def test_boxes_that_do_not_meet_are_pulled_together():
    slope = differentiated(
        lambda b, a: keras.ops.sum(1.0 - overlaps.generalized(a, b[0]))
    )
    away = keras.ops.convert_to_tensor([[20.0, 0.0, 30.0, 10.0]])
    found = numpy(slope([away], np.array([[0.0, 0.0, 10.0, 10.0]], "float32"))[0])[0]
    assert found[0] > 0.0  # less of it for a smaller left edge


def one_hot(labels):
    return np.eye(6)[labels][..., :4].astype("float32")


def focal(labels, logits, alpha=0.25, gamma=2.0):
    """Each element, of shares, in float64 and by the paper."""
    p = 1 / (1 + np.exp(-logits.astype(float)))
    held = labels * (1 - p) ** gamma * -np.log(p)
    not_held = (1 - labels) * p**gamma * -np.log(1 - p)
    if alpha is not None:
        held, not_held = alpha * held, (1 - alpha) * not_held
    return held + not_held


@pytest.mark.parametrize("alpha", [0.25, None, 1.0])
@pytest.mark.parametrize("gamma", [2.0, 0.0, 0.5])
@pytest.mark.parametrize("from_logits", [True, False])
def test_the_focal_loss_is_the_papers_over_places_with_a_class(
    alpha, gamma, from_logits
):
    each = focal(one_hot(LABELS), LOGITS, alpha, gamma).sum(axis=-1)
    expected = each[LABELS > -2].sum() / (LABELS >= 0).sum()
    predictions = LOGITS if from_logits else 1 / (1 + np.exp(-LOGITS))
    loss = FocalCrossentropy(alpha, gamma, from_logits=from_logits)
    for labels in (LABELS, LABELS[..., None], LABELS.astype("float32")):
        assert float(loss(labels, predictions)) == pytest.approx(expected, rel=1e-5)
    whole = FocalCrossentropy(alpha, gamma, from_logits=from_logits, per_positive=False)
    mean = each[LABELS > -2].mean()
    assert float(whole(LABELS, predictions)) == pytest.approx(mean, rel=1e-5)


def test_one_hot_labels_and_shares_cost_the_same_as_numbers():
    labels = np.maximum(LABELS, -1)
    loss = FocalCrossentropy(from_logits=True)
    assert float(loss(one_hot(labels), LOGITS)) == pytest.approx(
        float(loss(labels, LOGITS)), rel=1e-6
    )
    shares = 0.5 * one_hot(labels) + 0.5 * one_hot(labels[::-1])
    each = focal(shares, LOGITS)
    softened = FocalCrossentropy(
        gamma=0.0, alpha=None, from_logits=True, reduction="sum"
    )
    expected = focal(shares, LOGITS, None, 0.0).sum()
    assert float(softened(shares, LOGITS)) == pytest.approx(expected, rel=1e-5)
    assert each.shape == LOGITS.shape


def test_what_keras_has_is_the_mean_over_places_and_classes():
    labels = one_hot(np.maximum(LABELS, -1))
    theirs = keras.losses.BinaryFocalCrossentropy(
        apply_class_balancing=True, from_logits=True
    )(labels, LOGITS)
    ours = FocalCrossentropy(from_logits=True, per_positive=False)(labels, LOGITS)
    assert float(ours) == pytest.approx(4 * float(theirs), rel=1e-4)


def test_of_background_alone_the_sum_is_the_loss():
    labels = np.full((3, 5), -1)
    expected = focal(one_hot(labels), LOGITS).sum()
    found = FocalCrossentropy(from_logits=True)(labels, LOGITS)
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_far_logits_have_a_slope_and_ignored_places_have_none():
    loss = FocalCrossentropy(from_logits=True)
    slope = differentiated(lambda x, y: loss(y, x[0]))
    logits = np.array([[[40.0, -40.0], [np.nan, 0.0]]], "float32")
    found = numpy(slope([keras.ops.convert_to_tensor(logits)], np.array([[1, -2]]))[0])
    np.testing.assert_allclose(found[0], [[0.75, -0.25], [0.0, 0.0]], rtol=1e-5)


def test_what_is_nearly_right_costs_what_the_paper_says():
    logits = np.array([[12.0, -200.0]], "float32")
    expected = focal(np.array([[1.0, 0.0]]), logits).sum()
    found = float(FocalCrossentropy(from_logits=True)(np.array([0]), logits))
    assert found == pytest.approx(expected, rel=1e-5)


def test_of_a_power_below_1_the_slope_is_finite():
    loss = FocalCrossentropy(gamma=0.5, from_logits=True)
    slope = differentiated(lambda x, y: loss(y, x[0]))
    logits = keras.ops.convert_to_tensor(np.array([[200.0, -200.0]], "float32"))
    assert np.isfinite(numpy(slope([logits], np.array([0]))[0])).all()


def test_a_number_that_is_no_class_makes_the_loss_nan():
    loss = FocalCrossentropy(from_logits=True)
    for number in (4, -3, 0.5):
        labels = LABELS.astype("float32")
        labels[0, 0] = number
        assert np.isnan(float(loss(labels, LOGITS)))


def test_what_wraps_it_takes_each_class_by_itself():
    inner = FocalCrossentropy(from_logits=True, per_positive=False)
    probabilities = 1 / (1 + np.exp(-LOGITS.astype(float)))
    entropy = -sum(p * np.log(p) for p in (probabilities, 1 - probabilities))
    kept = LABELS > -2
    expected = float(inner(LABELS, LOGITS)) - 0.1 * entropy.mean(axis=-1)[kept].mean()
    found = float(ConfidencePenalty(inner, 0.1)(LABELS, LOGITS))
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("loss", [GIoU(), CIoU(), FocalCrossentropy(None, 1.5)])
def test_they_compile_and_are_saved(loss):
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert copy.get_config() == loss.get_config()
    y_true, y_pred = TRUE, PREDICTED
    if isinstance(loss, FocalCrossentropy):
        y_true, y_pred = LABELS, 1 / (1 + np.exp(-LOGITS))
    found = float(compiled(copy)(y_true, y_pred, WEIGHTS))
    assert found == pytest.approx(float(loss(y_true, y_pred, WEIGHTS)), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FocalCrossentropy(1.5), "`FocalCrossentropy(alpha=...)` must be"),
        (lambda: FocalCrossentropy(gamma=-1), "`FocalCrossentropy(gamma=...)` must be"),
        (lambda: FocalCrossentropy(ignore_class=-1), "which is background"),
        (lambda: GIoU(dtype="float16"), "`GIoU(dtype=...)` must be one of"),
        (lambda: CIoU()(TRUE[..., :3], PREDICTED), "ciou: boxes must have 4 edges"),
        (
            lambda: FocalCrossentropy()(one_hot(LABELS)[..., :3], LOGITS),
            "labels must be numbers of classes or a share for each of 4",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(
        ValueError,
        match=message.replace("(", r"\(").replace(")", r"\)").replace("...", r"\.\.\."),
    ):
        make()


def test_the_family_is_public():
    assert issubclass(GIoU, losses.BoxOverlap)
    assert issubclass(CIoU, losses.BoxOverlap)
