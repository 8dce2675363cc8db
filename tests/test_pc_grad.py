"""Projected gradients against the algorithm of the paper in NumPy."""

import itertools

import keras
import numpy as np
import pytest

from perfkit import optimizers
from perfkit.fusion import PCGrad, UncertaintyWeighting
from perfkit.ops import balance
from tests.optimizer_conformance.common import CHEAP

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(8, 3)).astype("float32")


def projected(gradients, orders):
    """Algorithm 1, vector by vector."""
    found = []
    for i, order in enumerate(orders):
        own = gradients[i].copy()
        for j in order:
            if j != i and own @ gradients[j] < 0:
                own = (
                    own
                    - (own @ gradients[j])
                    / (gradients[j] @ gradients[j])
                    * (gradients[j])
                )
        found.append(own)
    return np.array(found)


@pytest.mark.parametrize("seed", range(5))
def test_shares_of_gradients_are_those_of_algorithm_1(seed):
    draw = np.random.default_rng(seed)
    gradients = draw.normal(size=(4, 5))
    gradients[3] = -gradients[0] if seed == 4 else gradients[3]
    orders = np.array([draw.permutation(4) for _ in range(4)])
    products = np.broadcast_to(gradients @ gradients.T, (4, 4, 4)).astype("float32")
    shares = balance.without_conflicts(
        keras.ops.convert_to_tensor(products),
        keras.ops.convert_to_tensor(orders.astype("int32")),
    )
    found = keras.ops.convert_to_numpy(shares) @ gradients
    expected = projected(gradients, orders)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(expected - gradients).max() > 0.1  # there was a conflict


def test_a_task_without_gradient_takes_nothing():
    products = np.zeros((2, 2, 2), "float32")
    products[:, 0, 0] = 1.0
    order = keras.ops.convert_to_tensor([[0, 1], [1, 0]], dtype="int32")
    shares = balance.without_conflicts(keras.ops.convert_to_tensor(products), order)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(shares), np.eye(2))


def linear(names, penalty=None):
    """A shared kernel, and one of each task; all are known."""
    draw = np.random.default_rng(3)
    inputs = keras.Input((3,))
    dense = keras.layers.Dense
    hidden = dense(4, use_bias=False, name="shared", kernel_regularizer=penalty)
    ends = [dense(1, use_bias=False, name=name)(hidden(inputs)) for name in names]
    model = keras.Model(inputs, ends)
    model.set_weights([draw.normal(size=w.shape) for w in model.weights])
    return model


def gradients_of(model, targets):
    """Of each task by the shared kernel, and by its own, for mean squared errors."""
    shared, *heads = [w.astype("float64") for w in model.get_weights()]
    found = []
    for head, target in zip(heads, targets, strict=True):
        error = 2.0 * (X @ shared @ head - target) / len(X)
        found.append((X.T @ error @ head.T, (X @ shared).T @ error))
    return found


def step_of(model, targets, wrap=PCGrad, fits=1, **arguments):
    model.compile(wrap(keras.optimizers.SGD(0.1)), loss="mse", **arguments)
    optimizers.attach(model)
    return model.fit(
        X, targets, batch_size=8, epochs=fits, verbose=0, shuffle=False
    ).history


def targets_of(many, seed=0):
    draw = np.random.default_rng(seed)
    return [4.0 * draw.normal(size=(8, 1)).astype("float32") for _ in range(many)]


def test_two_tasks_that_conflict_are_projected_where_they_share_weights():
    model = linear("ab")
    targets = [10.0 * target for target in targets_of(2)]
    targets[1] = -targets[0]
    model.layers[-1].set_weights(model.layers[-2].get_weights())
    before = model.get_weights()
    (first, head), (second, other) = gradients_of(model, targets)
    a, b = first.ravel(), second.ravel()
    assert a @ b < -0.1 * np.linalg.norm(a) * np.linalg.norm(b)
    total = (a - (a @ b) / (b @ b) * b) + (b - (a @ b) / (a @ a) * a)
    history = step_of(model, targets, jit_compile=True)
    pairs = zip(before, model.get_weights(), strict=True)
    after = [(old - new) / 0.1 for old, new in pairs]
    np.testing.assert_allclose(after[0].ravel(), total, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(after[1], head, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(after[2], other, rtol=1e-3, atol=1e-3)
    ends = [X @ before[0] @ kernel for kernel in before[1:]]
    errors = [
        float(((end - target) ** 2).mean())
        for end, target in zip(ends, targets, strict=True)
    ]
    assert history["loss"][0] == pytest.approx(sum(errors), rel=1e-4)
    found = [history["a_loss"][0], history["b_loss"][0]]
    assert found == pytest.approx(errors, rel=1e-4)
    assert "compute_loss" not in vars(model)


@pytest.mark.slow
def test_three_tasks_are_projected_in_some_order_which_changes_with_steps():
    model = linear("abc")
    for layer in model.layers[-2:]:
        layer.set_weights(model.layers[-3].get_weights())
    first, second = [10.0 * target for target in targets_of(2)]
    targets = [first, second, -first - second]  # each in conflict with both others
    seen = set()
    orders = [
        [[first, second] for first, second in itertools.permutations({0, 1, 2} - {i})]
        for i in range(3)
    ]
    model.compile(PCGrad(keras.optimizers.SGD(0.1)), loss="mse", **CHEAP)
    optimizers.attach(model)
    start = model.get_weights()
    for _ in range(6):
        model.set_weights(start)
        gradients = [pair[0].ravel() for pair in gradients_of(model, targets)]
        candidates = [
            projected(gradients, order).sum(axis=0)
            for order in itertools.product(*orders)
        ]
        model.fit(X, targets, batch_size=8, verbose=0)
        found = (start[0] - model.get_weights()[0]).ravel() / 0.1
        apart = [np.abs(found - candidate).max() for candidate in candidates]
        assert sorted(apart)[0] < 1e-2 < sorted(apart)[1]
        seen.add(int(np.argmin(apart)))
    assert len(seen) > 1


def deep(penalty=None):
    """With dropout and moving statistics, and tasks that are the same."""
    inputs = keras.Input((3,))
    layers = keras.layers
    x = layers.Dense(6, kernel_regularizer=penalty, name="first")(inputs)
    x = layers.BatchNormalization(momentum=0.5)(x)
    x = layers.Dropout(0.5, seed=3)(layers.Activation("tanh")(x))
    heads = [layers.Dense(1, name=name) for name in "ab"]
    model = keras.Model(inputs, {head.name: head(x) for head in heads})
    draw = np.random.default_rng(3)
    kernel = draw.normal(size=(3, 6))
    model.get_layer("first").set_weights([kernel, np.zeros(6)])
    for head in heads:
        head.set_weights([np.linspace(-1.0, 1.0, 6)[:, None], np.zeros(1)])
    return model


@pytest.mark.parametrize(
    "penalty", [None, pytest.param("l2", marks=pytest.mark.slow)], ids=str
)
def test_tasks_that_agree_train_as_without_it(penalty):
    target = targets_of(1)[0]
    y = {"a": target, "b": target}
    found = []
    for wrap in (PCGrad, lambda plain: plain):
        model = deep(keras.regularizers.L2(0.05) if penalty else None)
        loss = {"a": "mse", "b": "mse"}
        model.compile(
            wrap(keras.optimizers.SGD(0.05, momentum=0.9)),
            loss=loss,
            metrics={"a": "mae"},
            jit_compile=True,
        )
        if wrap is PCGrad:
            optimizers.attach(model)
        history = model.fit(X, y, 8, epochs=3, verbose=0, shuffle=False).history
        found.append((model.get_weights(), history))
    (weights, history), (expected, plain) = found
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert set(history) == set(plain)
    for name, values in plain.items():
        assert history[name] == pytest.approx(values, rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: optimizers.WeightAverage(PCGrad(inner), 0.9),
        lambda inner: PCGrad(optimizers.GradientCentralization(inner)),
        lambda inner: PCGrad(optimizers.LayerwiseRates(inner, {"shared": 0.5})),
    ],
    ids=["average", "centralized", "layerwise"],
)
def test_it_goes_with_other_wrappers(wrap, tmp_path):
    model = linear("ab")
    history = step_of(model, targets_of(2), wrap, fits=10, **CHEAP)
    assert history["loss"][-1] < history["loss"][0]
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    optimizers.attach(loaded)
    loaded.fit(X, targets_of(2), batch_size=8, verbose=0)
    assert optimizers.find(loaded, PCGrad).get_config()["seed"] == 0


def test_a_loop_without_attach_a_scaled_loss_and_one_output_are_told():
    model = linear("ab")
    optimizer = PCGrad("sgd")
    kernel = model.trainable_variables[0]
    with pytest.raises(ValueError, match="attach"):
        optimizer.apply([keras.ops.zeros(kernel.shape)], [kernel])
    scaled = keras.optimizers.LossScaleOptimizer(PCGrad("sgd"))
    model.compile(scaled, loss="mse")
    with pytest.raises(ValueError, match="scaled"):
        optimizers.attach(model)
    alone = linear("a")
    alone.compile(PCGrad("sgd"), loss="mse")
    with pytest.raises(ValueError, match="several outputs"):
        optimizers.attach(alone)
    weighted = UncertaintyWeighting(linear("ab"))
    weighted.compile(PCGrad("sgd"), loss=["mse", "mse"])
    with pytest.raises(ValueError, match="UncertaintyWeighting"):
        optimizers.attach(weighted)
    with pytest.raises(ValueError, match="SharpnessAware"):
        PCGrad(optimizers.SharpnessAware("sgd"))


def test_a_loss_of_the_model_s_own_is_put_back():
    model = linear("ab")
    plain = model.compute_loss

    def doubled(*arguments, **named):
        return 2.0 * plain(*arguments, **named)

    model.compute_loss = doubled
    before = model.get_weights()
    targets = targets_of(2)
    gradients = gradients_of(model, targets)
    model.compile(PCGrad(keras.optimizers.SGD(0.1)), loss="mse", **CHEAP)
    optimizers.attach(model)
    model.fit(X, targets, batch_size=8, verbose=0)
    assert model.compute_loss is doubled
    moved = before[1] - model.get_weights()[1]
    np.testing.assert_allclose(moved, 0.2 * gradients[0][1], rtol=1e-3, atol=1e-4)
