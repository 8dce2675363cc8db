"""Two gradients a step: what they make, and what the model sees of them."""

import keras
import numpy as np
import pytest

from perfkit import optimizers
from tests.optimizer_problem import START, distance, gradients

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3)).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]]) + 0.3).astype("float32")


def numpy(variables):
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def linear():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.set_weights([np.ones((3, 1)), np.zeros(1)])
    return model


def fitted(model, optimizer, epochs=1, **options):
    model.compile(optimizer, "mse", **options)
    if hasattr(optimizer, "ascend"):
        optimizers.attach(model)
    history = model.fit(X, Y, batch_size=6, epochs=epochs, shuffle=False, verbose=0)
    return history.history


def slope(weights, x, y):
    kernel, bias = weights
    errors = 2 * (x @ kernel + bias - y) / len(x)
    return [x.T @ errors, errors.sum(axis=0)]


def by_numpy(rho, adaptive, every, steps, rate=0.1):
    weights = [np.ones((3, 1)), np.zeros(1)]
    for step in range(steps):
        first = 6 * (step % 4)
        batch = X[first : first + 6].astype("float64"), Y[first : first + 6]
        values = slope(weights, *batch)
        if step % every == 0:
            scales = [np.abs(w) + 0.01 if adaptive else 1.0 for w in weights]
            scaled = [s * g for s, g in zip(scales, values, strict=True)]
            norm = np.sqrt(sum((g**2).sum() for g in scaled))
            there = [
                w + rho * s * g / norm
                for w, s, g in zip(weights, scales, scaled, strict=True)
            ]
            values = slope(there, *batch)
        weights = [w - rate * g for w, g in zip(weights, values, strict=True)]
    return weights


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rho", "adaptive", "every"),
    [(0.3, False, 1), (0.5, True, 1), (0.3, False, 5), (0.0, False, 1)],
)
def test_a_fit_is_that_of_the_papers_form(rho, adaptive, every):
    optimizer = optimizers.SharpnessAware(
        keras.optimizers.SGD(0.1), rho, adaptive=adaptive, every=every
    )
    model = linear()
    fitted(model, optimizer, epochs=13)
    expected = by_numpy(rho, adaptive, every, 52)
    assert distance(model.get_weights(), expected) <= 1e-5
    if rho:
        assert distance(model.get_weights(), by_numpy(0.0, False, 1, 52)) > 1e-3


def test_on_a_quadratic_the_gradient_is_the_closed_form():
    """Of w A w / 2 at w + rho g / |g| it is g + rho A g / |g|."""
    a = np.diag([1.0, 4.0])
    w = np.array([1.0, -0.5])
    variable = keras.Variable(w)
    optimizer = optimizers.SharpnessAware(keras.optimizers.SGD(0.1), rho=0.2)
    expected = w
    for _ in range(50):
        g = a @ numpy([variable])[0]
        optimizer.ascend([keras.ops.array(g, "float32")], [variable])
        there = a @ numpy([variable])[0]
        optimizer.apply([keras.ops.array(there, "float32")], [variable])
        g = a @ expected
        expected = expected - 0.1 * (g + 0.2 * a @ g / np.linalg.norm(g))
    assert distance(numpy([variable]), [expected]) <= 1e-5


def test_in_a_loop_of_ones_own_all_variables_form_one_ball():
    variables = [keras.Variable(w) for w in START]
    optimizer = optimizers.SharpnessAware(keras.optimizers.SGD(0.05), rho=0.5)
    values = gradients(numpy(variables))
    optimizer.ascend([keras.ops.array(g) for g in values], variables)
    moves = [new - old for new, old in zip(numpy(variables), START, strict=True)]
    norm = np.sqrt(sum((g**2).sum() for g in values))
    assert distance(moves, [0.5 * g / norm for g in values]) <= 1e-6
    there = gradients(numpy(variables))
    optimizer.apply([keras.ops.array(g) for g in there], variables)
    expected = [w - 0.05 * g for w, g in zip(START, there, strict=True)]
    assert distance(numpy(variables), expected) <= 1e-6


def noisy():
    """A model with moving statistics, dropout and a metric."""
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(8, activation="tanh"),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.Dropout(0.3, seed=1),
            keras.layers.Dense(1),
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_without_a_ball_it_is_the_optimizer_inside_bit_for_bit(every):
    """So both gradients see one dropout, and statistics and metrics move once."""
    ours, theirs = noisy(), noisy()
    inner = keras.optimizers.Adam(0.01)
    options = {"metrics": ["mae"], "jit_compile": True}
    wrapped = optimizers.SharpnessAware(inner, 0.0, every=every)
    first = fitted(ours, wrapped, epochs=2, **options)
    second = fitted(theirs, keras.optimizers.Adam(0.01), epochs=2, **options)
    assert first == second
    for x, y in zip(numpy(ours.weights), numpy(theirs.weights), strict=True):
        np.testing.assert_array_equal(x, y)


def test_moving_statistics_are_those_of_the_first_gradient():
    """With a rate of 0 the weights stay, so the statistics are those without a ball."""
    ours, theirs = noisy(), noisy()
    fitted(ours, optimizers.SharpnessAware(keras.optimizers.SGD(0.0), 2.0))
    fitted(theirs, keras.optimizers.SGD(0.0))
    for x, y in zip(numpy(ours.weights), numpy(theirs.weights), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.slow
def test_the_rhythm_goes_on_over_epochs_and_after_loading(tmp_path):
    """Steps with two gradients are counted by the optimizer, not by `fit`."""

    def make():
        return optimizers.SharpnessAware(keras.optimizers.SGD(0.1), 0.3, every=3)

    whole, parts = linear(), linear()
    fitted(whole, make(), epochs=3)
    fitted(parts, make(), epochs=1)
    parts.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    optimizers.attach(loaded)
    loaded.fit(X, Y, batch_size=6, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_array_equal(loaded.get_weights()[0], whole.get_weights()[0])
    assert distance(whole.get_weights(), by_numpy(0.3, False, 3, 12)) <= 1e-5
    assert distance(whole.get_weights(), by_numpy(0.3, False, 4, 12)) > 1e-4


def test_without_attach_training_says_what_to_call():
    model = linear()
    model.compile(optimizers.SharpnessAware("sgd"), "mse")
    with pytest.raises(ValueError, match=r"call `perfkit\.optimizers\.attach\(model"):
        model.fit(X, Y, verbose=0)


def test_a_scaled_loss_is_refused_and_said_what_to_do():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = linear()
        model.compile(optimizers.SharpnessAware("sgd"), "mse")
        with pytest.raises(ValueError, match="auto_scale_loss=False"):
            optimizers.attach(model)
        model.compile(optimizers.SharpnessAware("sgd"), "mse", auto_scale_loss=False)
        optimizers.attach(model)
        model.fit(X, Y, verbose=0)
        assert all(np.isfinite(w).all() for w in model.get_weights())
    finally:
        keras.config.set_dtype_policy(policy)


def test_gradients_that_are_accumulated_are_refused():
    inner = keras.optimizers.SGD(gradient_accumulation_steps=2)
    with pytest.raises(ValueError, match="without `gradient_accumulation_steps`"):
        optimizers.SharpnessAware(inner)
    with pytest.raises(ValueError, match="exclude each other"):
        optimizers.Accumulate(optimizers.SharpnessAware("sgd"), 2)


def test_a_rhythm_needs_steps_that_are_run_one_by_one():
    model = linear()
    optimizer = optimizers.SharpnessAware("sgd", every=2)
    model.compile(optimizer, "mse", steps_per_execution=2)
    optimizers.attach(model)
    with pytest.raises(ValueError, match="steps_per_execution=1"):
        model.fit(X, Y, verbose=0)


def test_several_steps_in_one_execution_are_the_same_steps():
    ours, theirs = linear(), linear()
    make = lambda: optimizers.SharpnessAware(keras.optimizers.SGD(0.1), 0.3)  # noqa: E731
    fitted(ours, make(), steps_per_execution=2)
    fitted(theirs, make())
    assert distance(ours.get_weights(), theirs.get_weights()) <= 1e-6


def test_attaching_twice_or_compiling_again_is_no_second_ball():
    model = linear()
    model.compile("sgd", "mse")
    optimizers.attach(model)
    optimizers.attach(model)
    model.fit(X, Y, verbose=0)
    model.set_weights(linear().get_weights())
    fitted(model, optimizers.SharpnessAware(keras.optimizers.SGD(0.1), 0.3), epochs=13)
    assert distance(model.get_weights(), by_numpy(0.3, False, 1, 52)) <= 1e-5
    model.set_weights(linear().get_weights())
    fitted(model, keras.optimizers.SGD(0.1), epochs=13)
    assert distance(model.get_weights(), by_numpy(0.0, False, 1, 52)) <= 1e-5


@pytest.mark.parametrize("model", [3, "compiled"])
def test_attach_says_what_it_wants(model):
    with pytest.raises(TypeError, match=r"attach\(model=\.\.\.\)"):
        optimizers.attach(model)
    with pytest.raises(ValueError, match="compiled with an optimizer"):
        optimizers.attach(linear())


def test_batches_one_by_one_are_steps_too():
    ours, theirs = linear(), linear()
    make = lambda: optimizers.SharpnessAware(  # noqa: E731
        keras.optimizers.SGD(0.1), 0.3, every=2
    )
    fitted(theirs, make())
    ours.compile(make(), "mse")
    optimizers.attach(ours)
    for first in range(0, 24, 6):
        ours.train_on_batch(X[first : first + 6], Y[first : first + 6])
    assert distance(ours.get_weights(), theirs.get_weights()) <= 1e-6
