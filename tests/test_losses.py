"""Losses of class labels against Keras's own, optax and NumPy."""

import inspect
import pathlib
import re

import keras
import numpy as np
import optax
import pytest

from perfkit import augment, losses
from perfkit.losses import ConfidencePenalty, SmoothedCrossentropy

DRAW = np.random.default_rng(0)
LABELS = np.array([0, 3, 2, 1, 3, 0])
ONE_HOT = np.eye(4, dtype="float32")[LABELS]
LOGITS = DRAW.normal(size=(6, 4)).astype("float32")
WEIGHTS = np.array([1.0, 0.0, 2.0, 0.5, 3.0, 1.0], "float32")
MIXED = (0.3 * ONE_HOT + 0.7 * ONE_HOT[::-1]).astype("float32")


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


REDUCTIONS = pytest.mark.parametrize(
    "reduction", ["sum_over_batch_size", "mean", "sum", "mean_with_sample_weight", None]
)
WEIGHTED = pytest.mark.parametrize("weights", [None, WEIGHTS, WEIGHTS[:, None]])


@REDUCTIONS
@WEIGHTED
@pytest.mark.parametrize("from_logits", [True, False])
def test_labels_in_any_form_cost_what_keras_says_of_one_hot_ones(
    reduction, weights, from_logits
):
    arguments = {"from_logits": from_logits, "reduction": reduction}
    ours = SmoothedCrossentropy(0.2, **arguments)
    theirs = keras.losses.CategoricalCrossentropy(label_smoothing=0.2, **arguments)
    predictions = LOGITS if from_logits else softmax(LOGITS)
    expected = numpy(theirs(ONE_HOT, predictions, weights)).ravel()
    for labels in (LABELS, LABELS[:, None], LABELS.astype("float32"), ONE_HOT):
        found = numpy(ours(labels, predictions, weights)).ravel()
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    expected = numpy(theirs(MIXED, predictions, weights)).ravel()
    found = numpy(ours(MIXED, predictions, weights)).ravel()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_smoothing_is_that_of_optax(smoothing):
    smooth = optax.smooth_labels(ONE_HOT, smoothing)
    expected = np.array(optax.softmax_cross_entropy(LOGITS, smooth))
    loss = SmoothedCrossentropy(smoothing, from_logits=True, reduction=None)
    np.testing.assert_allclose(numpy(loss(LABELS, LOGITS)), expected, rtol=1e-5)


@REDUCTIONS
@pytest.mark.parametrize("weights", [None, np.arange(6.0).reshape(2, 3)])
@pytest.mark.parametrize("column", [False, True])
def test_an_ignored_class_counts_nowhere(reduction, weights, column):
    """As in Keras's sparse loss, which has no smoothing."""
    labels = np.array([[0, -1, 2], [-1, 3, 3]])
    logits = LOGITS.reshape(2, 3, 4).copy()
    logits[0, 1] = np.nan
    arguments = {"from_logits": True, "ignore_class": -1, "reduction": reduction}
    ours = SmoothedCrossentropy(0.0, **arguments)
    theirs = keras.losses.SparseCategoricalCrossentropy(**arguments)
    finite = np.nan_to_num(logits)
    expected = numpy(theirs(labels, finite, weights))
    labels = labels[..., None] if column else labels
    found = numpy(ours(labels, logits, weights))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    only = SmoothedCrossentropy(0.3, from_logits=True, ignore_class=-1)
    kept = SmoothedCrossentropy(0.3, from_logits=True)
    places = labels.reshape(-1) >= 0
    expected = float(kept(labels.reshape(-1)[places], finite.reshape(-1, 4)[places]))
    assert float(only(labels, logits)) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_labels_costs_nothing():
    loss = SmoothedCrossentropy(from_logits=True, ignore_class=255)
    assert float(loss(np.full(6, 255), LOGITS)) == 0.0


def test_class_weights_are_those_of_torch():
    """Its formula for shares of classes: the sum of w_c y_c log p_c, negative."""
    weights = np.array([1.0, 0.5, 2.0, 0.0])
    smooth = 0.9 * ONE_HOT + 0.1 / 4
    expected = -(weights * smooth * np.log(softmax(LOGITS))).sum(axis=-1)
    loss = SmoothedCrossentropy(
        0.1, from_logits=True, class_weights=weights.tolist(), reduction="none"
    )
    np.testing.assert_allclose(numpy(loss(LABELS, LOGITS)), expected, rtol=1e-5)


@pytest.mark.parametrize("label", [-1, 4, 1.5])
def test_what_is_no_class_makes_the_loss_nan(label):
    loss = SmoothedCrossentropy(from_logits=True, reduction=None)
    found = numpy(loss(np.array([label, 3.0]), LOGITS[:2]))
    assert np.isnan(found).tolist() == [True, False]


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64")  # Keras's MixUp
def test_k1_mixed_class_indices_are_right_here_and_told_where_keras_mixed_them():
    """Keras's MixUp blends the numbers of classes as if they were amounts."""
    images = np.zeros((6, 2, 2, 1), "float32")
    loss = SmoothedCrossentropy(0.1, from_logits=True)
    pair = {"images": images, "labels": LABELS}
    ours = numpy(augment.MixUp(0.4, classes=4, seed=1)(pair)["labels"])
    smooth = optax.smooth_labels(ours, 0.1)
    expected = np.array(optax.softmax_cross_entropy(LOGITS, smooth)).mean()
    assert float(loss(ours, LOGITS)) == pytest.approx(expected, rel=1e-5)
    assert (np.sort(ours, axis=1)[:, -2] > 0.01).any()  # some are mixed indeed
    pair["labels"] = LABELS[:, None].astype("float32")
    theirs = numpy(keras.layers.MixUp(0.4, seed=1)(pair, training=True)["labels"])
    assert (theirs % 1.0).any()  # which Keras's own loss would round off
    assert np.isnan(float(loss(theirs, LOGITS)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_predictions_in_half_precision_are_computed_with_in_float32(dtype):
    logits = keras.ops.cast(80.0 * LOGITS, dtype)
    exact = numpy(keras.ops.cast(logits, "float32")).astype("float64")
    logs = np.log(softmax(exact))
    expected = -(logs * (0.9 * ONE_HOT + 0.025)).sum(axis=-1).mean()
    loss = SmoothedCrossentropy(0.1, from_logits=True)
    assert float(loss(LABELS, logits)) == pytest.approx(expected, rel=1e-5)
    many = keras.ops.cast(np.zeros((1, 3000)), dtype)  # float16 makes 2048 of 2049
    loss = SmoothedCrossentropy(
        0.0, from_logits=True, class_weights=[1.0] * 2049 + [2.0] + [1.0] * 950
    )
    assert float(loss([2049], many)) == pytest.approx(2 * np.log(3000), rel=1e-5)


def test_labels_that_fit_nothing_are_told():
    loss = SmoothedCrossentropy(from_logits=True)
    with pytest.raises(ValueError, match=r"each of 4 classes. .* shape \(6, 3\)"):
        loss(ONE_HOT[:, :3], LOGITS)


def entropy(p):
    return -(p * np.log(p)).sum(axis=-1)


INNER = keras.losses.SparseCategoricalCrossentropy


@REDUCTIONS
@WEIGHTED
def test_a_penalty_rewards_entropy(reduction, weights):
    p = softmax(LOGITS)
    each = -np.log(p[np.arange(6), LABELS]) - 0.3 * entropy(p)
    each = each if weights is None else each * WEIGHTS
    total = 6 if weights is None or "with" not in str(reduction) else WEIGHTS.sum()
    expected = {None: each, "sum": each.sum()}.get(reduction, each.sum() / total)
    for inner, predictions in ((INNER(from_logits=True), LOGITS), (INNER(), p)):
        loss = ConfidencePenalty(inner, 0.3, reduction=reduction)
        found = numpy(loss(LABELS, predictions, weights))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_penalty_with_a_threshold_is_for_what_is_more_certain():
    p = softmax(LOGITS)
    threshold = float(np.median(entropy(p)))
    short = np.maximum(0.0, threshold - entropy(p))
    assert 0 < (short > 0).sum() < 6
    expected = -np.log(p[np.arange(6), LABELS]) + 0.3 * short
    loss = ConfidencePenalty(INNER(), 0.3, threshold=threshold, reduction=None)
    np.testing.assert_allclose(numpy(loss(LABELS, p)), expected, rtol=1e-4)


@pytest.mark.parametrize("from_logits", [True, False])
def test_a_penalty_of_labels_that_hold_or_not_is_their_mean(from_logits):
    p = 1.0 / (1.0 + np.exp(-LOGITS))
    flips = -(p * np.log(p) + (1 - p) * np.log(1 - p)).mean(axis=-1)
    costs = -(ONE_HOT * np.log(p) + (1 - ONE_HOT) * np.log(1 - p)).mean(axis=-1)
    inner = keras.losses.BinaryCrossentropy(from_logits=from_logits)
    loss = ConfidencePenalty(inner, 0.3, reduction=None)
    found = numpy(loss(ONE_HOT, LOGITS if from_logits else p))
    np.testing.assert_allclose(found, costs - 0.3 * flips, rtol=1e-4)
    both = ConfidencePenalty(losses.RDrop(inner, 1.0), 0.3, reduction=None)
    found = numpy(both(ONE_HOT, LOGITS if from_logits else p))
    np.testing.assert_allclose(found, costs - 0.3 * flips, rtol=1e-4)


@pytest.mark.parametrize("inner", [INNER, SmoothedCrossentropy])
def test_a_penalty_ignores_what_its_loss_ignores(inner):
    labels = np.where(LABELS == 3, -1, LABELS)
    loss = ConfidencePenalty(inner(from_logits=True, ignore_class=-1), 0.5)
    alone = ConfidencePenalty(inner(from_logits=True), 0.5)
    kept = labels >= 0
    expected = float(alone(labels[kept], LOGITS[kept]))
    assert float(loss(labels, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_a_loss_reduces_as_the_one_that_it_wraps():
    loss = ConfidencePenalty(INNER(from_logits=True, reduction="sum"), 0.0)
    assert loss.reduction == "sum"
    expected = -np.log(softmax(LOGITS))[np.arange(6), LABELS].sum()
    assert float(loss(LABELS, LOGITS)) == pytest.approx(expected, rel=1e-5)


LOSSES = {
    "smoothed": SmoothedCrossentropy(
        0.2, from_logits=True, ignore_class=-1, class_weights=[1.0, 2.0, 3.0, 4.0]
    ),
    "penalty": ConfidencePenalty(INNER(from_logits=True), 0.2, threshold=0.7),
    "both": ConfidencePenalty(
        losses.RDrop(SmoothedCrossentropy(from_logits=True, ignore_class=2), 0.5), 0.2
    ),
    "r_drop": losses.RDrop(INNER(from_logits=True, reduction="sum"), 0.7),
}
EVERY = pytest.mark.parametrize("name", LOSSES)


@EVERY
def test_a_loss_is_made_again_from_its_config(name):
    loss = LOSSES[name]
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(loss)
    signature = set(inspect.signature(type(loss)).parameters)
    assert set(loss.get_config()) == signature
    plain = signature - {"loss"}
    assert {k: getattr(again, k) for k in plain} == {k: getattr(loss, k) for k in plain}
    labels = np.where(LABELS == 0, -1, LABELS) if name == "smoothed" else LABELS
    np.testing.assert_array_equal(
        numpy(again(labels, LOGITS)), numpy(loss(labels, LOGITS))
    )


@EVERY
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.slow
def test_a_model_trains_with_it_and_is_saved(name, policy, tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, dtype=policy)])
    model.compile(keras.optimizers.SGD(0.5), LOSSES[name], jit_compile=True)
    first = model.evaluate(LOGITS, LABELS, verbose=0)
    model.fit(LOGITS, LABELS, batch_size=4, epochs=10, verbose=0)
    last = model.evaluate(LOGITS, LABELS, verbose=0, sample_weight=np.ones(6))
    assert last < first
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    found = loaded.evaluate(LOGITS, LABELS, verbose=0)
    assert found == pytest.approx(last, rel=1e-3)


WRONG = [
    (SmoothedCrossentropy, {"label_smoothing": 1.5}),
    (SmoothedCrossentropy, {"from_logits": 1}),
    (SmoothedCrossentropy, {"ignore_class": 0.5}),
    (SmoothedCrossentropy, {"class_weights": [-1.0]}),
    (SmoothedCrossentropy, {"dtype": "float16"}),
    (ConfidencePenalty, {"loss": "mse"}),
    (ConfidencePenalty, {"loss": keras.losses.MeanSquaredError()}),
    (ConfidencePenalty, {"loss": INNER(), "strength": -1.0}),
    (ConfidencePenalty, {"loss": INNER(), "threshold": 0.0}),
    (losses.RDrop, {"loss": INNER(), "strength": None}),
]


def said(part):
    """An id that is the same in every worker; objects are known by their class."""
    if not isinstance(part, dict):
        return part.__name__
    plain = (str, int, float, list, type(None))
    values = [v if isinstance(v, plain) else type(v).__name__ for v in part.values()]
    return str(dict(zip(part, values, strict=True)))


@pytest.mark.parametrize(("kind", "change"), WRONG, ids=said)
def test_a_wrong_argument_is_named(kind, change):
    name = list(change)[-1]
    start = rf"^`{kind.__name__}\({name}=...\)` must be "
    with pytest.raises((ValueError, TypeError), match=start):
        kind(**change)


def test_the_page_has_every_loss_in_its_table():
    page = pathlib.Path(__file__).parent.parent / "docs" / "losses.md"
    rows = re.findall(r"^\| (`.+?) \|", page.read_text(), re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    kinds = inspect.getmembers(losses, inspect.isclass)
    families = {"BoxOverlap", "ClassificationLoss", "WrappingLoss"}
    families |= {"ContrastiveLoss", "PairsLoss"}
    assert named == {name for name, _ in kinds} - families
