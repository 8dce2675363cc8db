"""Learned weights of losses against the formulas of the paper."""

import keras
import numpy as np
import pytest

from perfkit import optimizers
from perfkit.fusion import UncertaintyWeighting

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(8, 3)).astype("float32")
DEPTH = (30.0 * DRAW.normal(size=(8, 1))).astype("float32")
LABELS = DRAW.integers(0, 4, 8)
KERNELS = [DRAW.normal(size=(3, 1)), DRAW.normal(size=(3, 4))]
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(form=list, penalty=None):
    inputs = keras.Input((3,))
    dense = keras.layers.Dense
    depth = dense(1, use_bias=False, name="depth", kernel_regularizer=penalty)
    ends = [depth(inputs), dense(4, use_bias=False, name="kind")(inputs)]
    if form is dict:
        ends = dict(zip(("depth", "kind"), ends, strict=True))
    model = keras.Model(inputs, ends)
    for name, kernel in zip(("depth", "kind"), KERNELS, strict=True):
        model.get_layer(name).set_weights([kernel])
    return model


def paper(logs):
    """Both losses, their sum with weights, and gradients, in NumPy."""
    x = X.astype("float64")
    error = x @ KERNELS[0] - DEPTH
    scores = np.exp(x @ KERNELS[1])
    p = scores / scores.sum(axis=1, keepdims=True)
    losses = [(error**2).mean(), -np.log(p[np.arange(8), LABELS]).mean()]
    factors = np.array([0.5, 1.0]) * np.exp(-logs)
    return {
        "losses": losses,
        "total": (factors * losses).sum() + 0.5 * logs.sum(),
        "kernels": [
            factors[0] * 2.0 * x.T @ error / 8,
            factors[1] * x.T @ (p - np.eye(4)[LABELS]) / 8,
        ],
        "logs": -factors * losses + 0.5,
    }


def weighted(model, logs, **arguments):
    made = UncertaintyWeighting(model, regression="depth", **arguments)
    made.log_variances.assign(logs)
    return made


@pytest.mark.parametrize(
    ("form", "loss"),
    [
        (dict, {"kind": CROSSENTROPY, "depth": "mse"}),
        pytest.param(list, ["mse", CROSSENTROPY], marks=pytest.mark.slow),
        pytest.param(
            list,
            {"kind": CROSSENTROPY, "depth": keras.losses.MeanSquaredError()},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_step_follows_the_formulas_of_the_paper(form, loss):
    logs = np.array([3.0, -0.5])
    model = weighted(network(form), logs)
    model.compile(keras.optimizers.SGD(0.1), loss=loss, jit_compile=True)
    y = {"depth": DEPTH, "kind": LABELS}
    y = y if form is dict else list(y.values())
    expected = paper(logs)
    history = model.fit(X, y, batch_size=8, verbose=0).history
    assert history["loss"][0] == pytest.approx(expected["total"], rel=1e-4)
    for name, value in zip(("depth", "kind"), expected["losses"], strict=True):
        assert history[f"{name}_loss"][0] == pytest.approx(value, rel=1e-4)
    for name, before, gradient in zip(
        ("depth", "kind"), KERNELS, expected["kernels"], strict=True
    ):
        found = np.array(model.model.get_layer(name).kernel)
        np.testing.assert_allclose(found, before - 0.1 * gradient, rtol=1e-4, atol=1e-5)
    found = keras.ops.convert_to_numpy(model.log_variances)
    np.testing.assert_allclose(found, logs - 0.1 * expected["logs"], rtol=1e-4)
    weights = {"depth": 0.5 * np.exp(-found[0]), "kind": np.exp(-found[1])}
    assert model.task_weights == pytest.approx(weights, rel=1e-5)


def test_weights_that_are_learned_go_to_half_of_the_inverse_of_the_loss():
    network_at_rest = network()
    network_at_rest.trainable = False
    model = UncertaintyWeighting(network_at_rest)
    model.log_variances.assign([5.0, 0.0])
    model.compile(keras.optimizers.SGD(0.5), loss=["mse", CROSSENTROPY])
    model.fit(X, [DEPTH, LABELS], batch_size=8, epochs=30, verbose=0)
    losses = paper(np.zeros(2))["losses"]
    expected = {
        name: 0.5 / value for name, value in zip(("depth", "kind"), losses, strict=True)
    }
    assert model.task_weights == pytest.approx(expected, rel=0.05)


def test_penalties_and_sample_weights_count_as_they_do_in_the_model():
    logs = np.array([1.0, 0.0])
    model = weighted(network(penalty=keras.regularizers.L2(0.2)), logs)
    model.compile("sgd", loss=["mse", CROSSENTROPY])
    found = model.evaluate(X, [DEPTH, LABELS], batch_size=8, verbose=0)[0]
    expected = paper(logs)["total"] + 0.2 * (KERNELS[0] ** 2).sum()
    assert found == pytest.approx(expected, rel=1e-4)
    twice = [np.full(8, 2.0), np.ones(8)]
    found = model.evaluate(X, [DEPTH, LABELS], 8, sample_weight=twice, verbose=0)[0]
    expected += 0.5 * np.exp(-1.0) * paper(logs)["losses"][0]
    assert found == pytest.approx(expected, rel=1e-4)


def test_a_model_is_saved_with_what_it_learned_and_goes_on(tmp_path):
    logs = np.array([3.0, -0.5])
    model = weighted(network(), logs)
    model.compile(keras.optimizers.Adam(0.1), loss=["mse", CROSSENTROPY])
    y = [DEPTH, LABELS]
    model.fit(X, y, batch_size=8, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.regression == ["depth"]
    assert loaded.task_weights == pytest.approx(model.task_weights, rel=1e-6)
    ends = []
    for one in (model, loaded):
        one.fit(X, y, batch_size=8, verbose=0)
        ends.append(one.evaluate(X, y, verbose=0)[0])
    assert ends[1] == pytest.approx(ends[0], rel=1e-5)
    predicted = [end.shape for end in loaded.predict(X, verbose=0)]
    assert predicted == [(8, 1), (8, 4)]


def test_a_function_of_the_user_and_an_output_without_loss_are_served():
    def apart(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)

    inputs = keras.Input((3,))
    ends = {name: keras.layers.Dense(1, name=name)(inputs) for name in "abc"}
    model = UncertaintyWeighting(keras.Model(inputs, ends))
    model.compile("sgd", loss={"a": apart, "b": None, "c": "mae"})
    y = {"a": DEPTH[:, 0], "c": DEPTH[:, 0]}
    for name in ("a", "c"):
        model.model.get_layer(name).set_weights([KERNELS[0], np.zeros(1)])
    found = model.evaluate(X, y, batch_size=8, verbose=0, return_dict=True)
    expected = np.abs(X @ KERNELS[0] - DEPTH).mean()
    assert found["a_loss"] == pytest.approx(expected, rel=1e-4)
    assert found["c_loss"] == pytest.approx(expected, rel=1e-4)
    assert found["loss"] == pytest.approx(2.0 * expected, rel=1e-4)


@pytest.mark.slow
def test_it_goes_with_an_optimizer_that_takes_two_gradients():
    model = UncertaintyWeighting(network())
    model.compile(
        optimizers.SharpnessAware(keras.optimizers.SGD(0.01)),
        loss=["mse", CROSSENTROPY],
    )
    optimizers.attach(model)
    history = model.fit(X, [DEPTH, LABELS], epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]


def one_output():
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(1)(inputs))


WRONG = [
    lambda: UncertaintyWeighting("model"),
    lambda: UncertaintyWeighting(one_output()),
    lambda: UncertaintyWeighting(network(), regression=["speed"]),
    lambda: UncertaintyWeighting(network()).compile("sgd", loss="mse"),
    lambda: UncertaintyWeighting(network()).compile("sgd", loss=["mse"]),
    lambda: UncertaintyWeighting(network()).compile("sgd", loss={"depth": "mse"}),
    lambda: UncertaintyWeighting(network()).compile("sgd", loss={"speed": "mse"}),
    lambda: UncertaintyWeighting(network()).compile(
        "sgd", loss=["mse", "mse"], loss_weights=[1.0, 2.0]
    ),
]


@pytest.mark.parametrize("make", WRONG)
def test_what_cannot_be_weighted_is_told(make):
    with pytest.raises((ValueError, TypeError), match=r"must be .*Received: "):
        make()
