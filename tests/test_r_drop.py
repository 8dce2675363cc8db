"""Two passes through dropout that have to agree."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit import losses
from perfkit.losses import RDrop, TwoPasses

SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
DRAW = np.random.default_rng(0)
LABELS = np.array([0, 3, 2, 1, 3])
FIRST = DRAW.normal(size=(5, 4)).astype("float32")
SECOND = DRAW.normal(size=(5, 4)).astype("float32")
BOTH = np.stack([FIRST, SECOND], axis=1).reshape(10, 4)  # next to each other


def logs_of(logits):
    logits = logits.astype("float64")
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


def paper(first, second, labels, strength):
    """The paper's loss of each sample over 2, alpha twice the strength."""
    p, q = logs_of(first), logs_of(second)
    rows = np.arange(len(labels))
    nll = -p[rows, labels] - q[rows, labels]
    apart = 0.5 * (np.exp(p) * (p - q) + np.exp(q) * (q - p)).sum(axis=-1)
    return 0.5 * (nll + 2.0 * strength * apart)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize("weights", [None, np.array([1.0, 0.0, 2.0, 0.5, 3.0])])
@pytest.mark.parametrize("column", [False, True])
def test_two_predictions_for_a_label_cost_what_the_paper_says(weights, column):
    labels = LABELS[:, None] if column else LABELS
    each = paper(FIRST, SECOND, LABELS, 0.7) * (1.0 if weights is None else weights)
    for reduction, expected in (
        (None, each),
        ("sum", each.sum()),
        ("mean", each.mean()),
    ):
        found = numpy(RDrop(SPARSE, 0.7, reduction=reduction)(labels, BOTH, weights))
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_inside_of_a_confidence_penalty_both_predictions_have_the_reward():
    loss = losses.ConfidencePenalty(RDrop(SPARSE, 0.7), 0.3, reduction=None)
    entropies = [-(np.exp(p) * p).sum(axis=-1) for p in map(logs_of, (FIRST, SECOND))]
    expected = paper(FIRST, SECOND, LABELS, 0.7) - 0.3 * np.mean(entropies, axis=0)
    np.testing.assert_allclose(numpy(loss(LABELS, BOTH)), expected, rtol=1e-5)
    model = TwoPasses(network())
    model.compile("sgd", losses.ConfidencePenalty(RDrop(SPARSE), 0.1), jit_compile=True)
    history = model.fit(X, Y, batch_size=10, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_one_prediction_for_a_label_costs_what_the_inner_loss_says():
    found = float(RDrop(SPARSE, 5.0)(LABELS, FIRST))
    assert found == pytest.approx(float(SPARSE(LABELS, FIRST)), rel=1e-6)


def test_labels_that_hold_or_not_diverge_by_their_mean():
    inner = keras.losses.BinaryCrossentropy(from_logits=True)
    p, q = 1 / (1 + np.exp(-FIRST)), 1 / (1 + np.exp(-SECOND))
    apart = (0.5 * (p - q) * (FIRST - SECOND - 0.0)).mean(axis=-1)
    targets = np.eye(4, dtype="float32")[LABELS]
    costs = [float(inner(targets, logits)) for logits in (FIRST, SECOND)]
    expected = np.mean(costs) + 0.4 * apart.mean()
    assert float(RDrop(inner, 0.4)(targets, BOTH)) == pytest.approx(expected, rel=1e-5)


def test_places_that_are_ignored_or_masked_count_nowhere():
    labels = np.array([[0, 3, -1], [2, -1, 1]])
    logits = DRAW.normal(size=(4, 3, 4)).astype("float32")
    inner = losses.SmoothedCrossentropy(0.0, from_logits=True, ignore_class=-1)
    flat = np.swapaxes(logits.reshape(2, 2, 3, 4), 1, 2).reshape(6, 2, 4)
    kept = flat[labels.reshape(-1) >= 0]
    expected = paper(kept[:, 0], kept[:, 1], labels[labels >= 0], 0.7).mean()
    assert float(RDrop(inner, 0.7)(labels, logits)) == pytest.approx(expected, rel=1e-5)


def masked_network():
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            layers.Embedding(6, 8, mask_zero=True),
            layers.Dropout(0.5, seed=1),
            layers.Dense(4),
        ]
    )


def test_the_mask_of_doubled_predictions_is_that_of_their_sample():
    tokens, labels = np.array([[1, 2, 0], [3, 0, 0]]), np.array([[0, 1, 2], [3, 0, 1]])
    model = TwoPasses(masked_network())
    model.compile("sgd", RDrop(SPARSE, 0.0), jit_compile=True)
    seen = model.evaluate(tokens, labels, verbose=0)
    other = np.where(tokens == 0, 3, labels)
    assert model.evaluate(tokens, other, verbose=0) == pytest.approx(seen, rel=1e-6)
    history = model.fit(tokens, other, verbose=0).history["loss"]
    assert np.isfinite(history).all()
    predictions = model(tokens, training=True)
    assert tuple(predictions.shape) == (4, 3, 4)
    loss = RDrop(SPARSE, 0.7)
    assert float(loss(labels, predictions)) == pytest.approx(
        float(loss(other, predictions)), rel=1e-6
    )


X = DRAW.normal(size=(50, 6)).astype("float32")
Y = (X[:, 0] > 0).astype("int32") + 2 * (X[:, 1] > 0).astype("int32")


def network(rate=0.5):
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(32, activation="relu"),
            layers.Dropout(rate, seed=1),
            layers.Dense(4),
        ]
    )


def arrays():
    return {"x": X, "y": Y, "sample_weight": np.ones(50), "batch_size": 16}


def dataset():
    return {"x": tf.data.Dataset.from_tensor_slices((X, Y)).batch(16)}


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        rows = slice(16 * index, 16 * index + 16)
        return X[rows], Y[rows]


@pytest.mark.parametrize(
    ("data", "jit_compile"),
    [
        (arrays, True),
        pytest.param(arrays, False, marks=pytest.mark.slow),
        pytest.param(dataset, True, marks=pytest.mark.slow),
        pytest.param(lambda: {"x": Batches()}, True, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_it_trains_and_evaluates_with_metrics_from_data_of_every_kind(
    data, jit_compile, tmp_path
):
    """50 samples in batches of 16: the last batch is smaller."""
    model = TwoPasses(network())
    model.compile(
        keras.optimizers.Adam(0.02),
        RDrop(SPARSE, 0.5),
        metrics=["accuracy"],
        weighted_metrics=[keras.metrics.SparseCategoricalAccuracy(name="weighted")],
        jit_compile=jit_compile,
    )
    history = model.fit(
        **data(), epochs=15, verbose=0, validation_data=(X, Y), shuffle=False
    ).history
    assert history["val_accuracy"][-1] > 0.8
    assert history["accuracy"][-1] > 0.6
    assert history["loss"][-1] < history["loss"][0]
    found = model.evaluate(X, Y, verbose=0, return_dict=True)
    logits = model.model.predict(X, verbose=0)
    assert found["loss"] == pytest.approx(float(SPARSE(Y, logits)), rel=1e-4)
    assert found["accuracy"] == pytest.approx((logits.argmax(-1) == Y).mean())
    np.testing.assert_allclose(model.predict(X, verbose=0), logits, atol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    again = loaded.evaluate(X, Y, verbose=0, return_dict=True)
    assert again["loss"] == pytest.approx(found["loss"], rel=1e-5)


@pytest.mark.slow
def test_without_dropout_a_step_is_that_of_the_network_alone():
    weights = []
    for wrap, loss in ((True, RDrop(SPARSE, 3.0)), (False, SPARSE)):
        keras.utils.set_random_seed(1)
        inner = network(0.0)
        model = TwoPasses(inner) if wrap else inner
        model.compile(keras.optimizers.SGD(0.5), loss, metrics=["accuracy"])
        history = model.fit(
            X,
            Y,
            batch_size=16,
            epochs=2,
            shuffle=False,
            verbose=0,
            sample_weight=X[:, 2] ** 2,
        ).history
        weights.append([*inner.get_weights(), *history.values()])
    for ours, theirs in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_passes_differ_by_dropout_and_copies_are_next_to_each_other():
    outputs = numpy(TwoPasses(network())(X[:3], training=True)).reshape(3, 2, 4)
    assert (outputs[:, 0] != outputs[:, 1]).any(axis=-1).all()
    alike = numpy(TwoPasses(network(0.0))(X[:3], training=True)).reshape(3, 2, 4)
    np.testing.assert_allclose(alike[:, 0], alike[:, 1], atol=1e-6)
    assert np.abs(alike[0, 0] - alike[1, 0]).max() > 1e-3


def test_inputs_and_outputs_may_be_several():
    first, second = keras.Input((6,), name="a"), keras.Input((6,), name="b")
    x = keras.layers.Dropout(0.5)(keras.layers.Add()([first, second]))
    outputs = {
        "u": keras.layers.Dense(4, name="u")(x),
        "v": keras.layers.Dense(4, name="v")(x),
    }
    model = TwoPasses(keras.Model({"a": first, "b": second}, outputs))
    model.compile(
        "adam",
        {"u": RDrop(SPARSE), "v": RDrop(SPARSE)},
        metrics={"u": ["accuracy"], "v": ["accuracy"]},
    )
    data = {"x": {"a": X, "b": X}, "y": {"u": Y, "v": Y}}
    history = model.fit(**data, batch_size=16, verbose=0).history
    assert {"u_accuracy", "v_accuracy", "u_loss", "v_loss"} <= set(history)
    assert np.isfinite(model.evaluate(**data, verbose=0)).all()


def test_predictions_that_fit_no_labels_are_told():
    with pytest.raises(ValueError, match=r"one prediction for each label, or two"):
        RDrop(SPARSE)(LABELS, BOTH[:7])
    with pytest.raises(TypeError, match=r"`TwoPasses\(model=...\)` must be"):
        TwoPasses(keras.layers.Dense(2))
