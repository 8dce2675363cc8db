"""Gradients of encoders that are held back, against the paper in NumPy."""

import keras
import numpy as np
import pytest

from perfkit import optimizers
from perfkit.fusion import OGMGE
from perfkit.ops import balance

DRAW = np.random.default_rng(0)
LABELS = DRAW.integers(0, 3, 8)
NAMES = ("image", "text")
X = {name: DRAW.normal(size=(8, 4)).astype("float32") for name in NAMES}
X["image"][:, :3] += 2.0 * np.eye(3)[LABELS]  # which tells the class
CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([6.0, 3.0], [1.0 - np.tanh(0.4 * 2.0), 1.0]),
        ([1.0, 5.0], [1.0, 1.0 - np.tanh(0.4 * 5.0)]),
        ([2.0, 2.0], [1.0, 1.0]),
        ([4.0, 1.0, 3.0], [1.0 - np.tanh(0.4 * 2.0), 1.0, 1.0 - np.tanh(0.4 * 1.2)]),
    ],
)
def test_factors_are_those_of_equation_10(scores, expected):
    tensor = keras.ops.convert_to_tensor(scores, dtype="float32")
    found = keras.ops.convert_to_numpy(balance.held_back(tensor, 0.4))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def linear(width=5, dropout=False):
    draw = np.random.default_rng(1)
    inputs = {name: keras.Input((4,), name=name) for name in NAMES}
    dense, parts = keras.layers.Dense, []
    for name, x in inputs.items():
        x = dense(width, use_bias=False, name=f"{name}_encoder")(x)
        if dropout:
            x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
            x = keras.layers.Dropout(0.5, seed=2)(x)
        parts.append(dense(3, use_bias=False, name=f"{name}_logits")(x))
    model = keras.Model(inputs, keras.layers.Add()(parts))
    for name in NAMES:
        kernel = 0.1 * draw.normal(size=(4, width))
        kernel[:3, :3] += np.eye(3)
        model.get_layer(f"{name}_encoder").set_weights([kernel])
        kernel = 0.1 * draw.normal(size=(width, 3))
        kernel[:3] += np.eye(3)
        model.get_layer(f"{name}_logits").set_weights([kernel])
    return model


def wrapped(**arguments):
    return OGMGE(
        keras.optimizers.SGD(1.0),
        {name: f"{name}_encoder" for name in NAMES},
        {name: f"{name}_logits" for name in NAMES},
        **arguments,
    )


def kernels(model):
    layers = [f"{name}_{part}" for name in NAMES for part in ("encoder", "logits")]
    return {name: np.array(model.get_layer(name).kernel) for name in layers}


def paper(model, labels):
    """Factors, and gradients without them, of softmax cross-entropy."""
    held = {name: k.astype("float64") for name, k in kernels(model).items()}
    hidden = {name: X[name] @ held[f"{name}_encoder"] for name in NAMES}
    logits = {name: hidden[name] @ held[f"{name}_logits"] for name in NAMES}
    shares = labels if labels.ndim == 2 else np.eye(3)[labels]
    error = (softmax(sum(logits.values())) - shares) / 8
    scores = {name: (softmax(logits[name]) * shares).sum() for name in NAMES}
    ratio = scores["image"] / scores["text"]
    factors = {
        "image": 1.0 - np.tanh(0.3 * ratio) if ratio > 1 else 1.0,
        "text": 1.0 - np.tanh(0.3 / ratio) if ratio < 1 else 1.0,
    }
    gradients = {f"{name}_logits": hidden[name].T @ error for name in NAMES}
    for name in NAMES:
        gradients[f"{name}_encoder"] = X[name].T @ error @ held[f"{name}_logits"].T
    return factors, gradients


def step_of(model, optimizer, labels=LABELS):
    one_hot = labels.ndim == 2
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    loss = loss if one_hot else CROSSENTROPY
    before = kernels(model)
    model.compile(optimizer, loss, jit_compile=True)
    optimizers.attach(model)
    model.fit(X, labels, batch_size=8, verbose=0)
    after = kernels(model)
    return {name: before[name] - after[name] for name in before}


@pytest.mark.parametrize(
    "labels",
    [LABELS, pytest.param(np.eye(3)[LABELS], marks=pytest.mark.slow)],
    ids=["numbers", "shares"],
)
def test_the_encoder_that_is_ahead_is_held_back_and_nothing_else(labels):
    model, optimizer = linear(), wrapped(alpha=0.3, enhancement=False)
    factors, gradients = paper(model, labels)
    assert factors["image"] < 0.8
    assert factors["text"] == 1.0
    moved = step_of(model, optimizer, labels)
    for name in NAMES:
        wanted = factors[name] * gradients[f"{name}_encoder"]
        found = moved[f"{name}_encoder"]
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)
        wanted, found = gradients[f"{name}_logits"], moved[f"{name}_logits"]
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)
    assert optimizer.modulation == pytest.approx(factors, rel=1e-4)


def test_noise_has_the_deviation_of_the_gradient_of_each_variable():
    model, optimizer = linear(width=500), wrapped(alpha=0.3)
    factors, gradients = paper(model, LABELS)
    moved = step_of(model, optimizer)
    drawn = []
    for name in NAMES:
        gradient = gradients[f"{name}_encoder"]
        rest = moved[f"{name}_encoder"] - factors[name] * gradient
        rest = rest / gradient.std()
        assert abs(rest.mean()) < 4 / np.sqrt(2000)
        assert abs(rest.std() - 1.0) < 4 / np.sqrt(4000)
        drawn.append(rest.ravel())
        wanted, found = gradients[f"{name}_logits"], moved[f"{name}_logits"]
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-6)
    assert abs(np.corrcoef(*drawn)[0, 1]) < 4 / np.sqrt(2000)


@pytest.mark.slow
def test_scores_leave_dropout_and_moving_statistics_as_they_are():
    found = []
    for optimizer in (wrapped(alpha=1e-6, enhancement=False), None):
        model = linear(dropout=True)
        plain = keras.optimizers.SGD(1.0)
        model.compile(optimizer or plain, CROSSENTROPY, jit_compile=True)
        if optimizer:
            optimizers.attach(model)
        model.fit(X, LABELS, batch_size=8, epochs=2, verbose=0, shuffle=False)
        found.append(model.get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_it_is_saved_goes_on_and_goes_with_other_wrappers(policy, tmp_path):
    model = linear()
    if policy != "float32":
        for layer in model.layers:
            layer.dtype_policy = policy
    optimizer = optimizers.WeightAverage(wrapped(alpha=0.3), 0.9)
    if policy != "float32":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, CROSSENTROPY)
    optimizers.attach(model)
    history = model.fit(X, LABELS, batch_size=8, epochs=5, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    optimizers.attach(loaded)
    loaded.fit(X, LABELS, batch_size=8, verbose=0)
    again = optimizers.find(loaded, OGMGE)
    assert again.encoders == {name: [f"{name}_encoder"] for name in NAMES}
    assert again.logits == {name: f"{name}_logits" for name in NAMES}
    assert min(again.modulation.values()) < 1.0


SAME = {"image": "a", "text": "b"}
WRONG = [
    lambda: OGMGE("sgd", "image", SAME),
    lambda: OGMGE("sgd", {"image": "a"}, {"image": "a"}),
    lambda: OGMGE("sgd", {"image": 3, "text": "b"}, SAME),
    lambda: OGMGE("sgd", SAME, {"image": "a", "sound": "b"}),
    lambda: OGMGE("sgd", SAME, {"image": ["a", "c"], "text": "b"}),
    lambda: OGMGE("sgd", SAME, SAME, alpha=0.0),
    lambda: OGMGE("sgd", SAME, SAME, enhancement=1),
    lambda: OGMGE("sgd", SAME, SAME, seed=-1),
]


@pytest.mark.parametrize("make", WRONG)
def test_arguments_that_are_wrong_are_told(make):
    with pytest.raises((TypeError, ValueError), match=r"must be .*Received: "):
        make()


def test_patterns_and_layers_that_fit_nothing_are_told():
    model = linear()
    variables = model.trainable_variables
    logits = {name: f"{name}_logits" for name in NAMES}
    same = OGMGE("sgd", {"image": "image_encoder", "text": "*_encoder"}, logits)
    with pytest.raises(ValueError, match="no two modalities"):
        same.build(variables)
    none = OGMGE("sgd", {"image": "image_encoder", "text": "sound"}, logits)
    with pytest.raises(ValueError, match="sound"):
        none.build(variables)
    other = {"image": "image_logits", "text": "words"}
    model.compile(OGMGE("sgd", {name: f"{name}_*" for name in NAMES}, other), "mse")
    with pytest.raises(ValueError, match="words"):
        optimizers.attach(model)
    alone = wrapped()
    with pytest.raises(ValueError, match="attach"):
        alone.apply([keras.ops.zeros(variables[0].shape)], [variables[0]])
