"""Batches in parts against the whole, and Keras's own way of doing it."""

import keras
import numpy as np
import pytest

from perfkit import callbacks, layers, optimizers
from perfkit.graph import batch_norm

RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 2.0, size=(22, 3)).astype("float32")
Y = np.sin(X.sum(axis=1, keepdims=True)).astype("float32")


def network(*layers):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1)])


def fitted(model, optimizer, batch_size, epochs=2, attach=True, **options):
    """One `fit` for each epoch, so that each ends with a step."""
    model.compile(optimizer, "mse", jit_compile=True)
    if attach and hasattr(optimizer, "around"):
        optimizers.attach(model)
    for _ in range(epochs):
        model.fit(X, Y, batch_size=batch_size, shuffle=False, verbose=0, **options)
    return model


def close(ours, theirs, atol=1e-6):
    pairs = zip(ours.get_weights(), theirs.get_weights(), strict=True)
    return all(np.allclose(x, y, rtol=1e-5, atol=atol) for x, y in pairs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "inner",
    [keras.optimizers.Adam, pytest.param(optimizers.LAMB, marks=pytest.mark.slow)],
)
def test_parts_are_the_whole_also_where_the_last_part_is_smaller(inner):
    """22 samples: 8, 8 and 6 at once; in parts of 4 the very last has 2."""
    seeded = {"kernel_initializer": keras.initializers.GlorotUniform(0)}

    def made():
        return network(keras.layers.Dense(8, activation="tanh", **seeded))

    whole = fitted(made(), inner(0.01), 8)
    parts = fitted(made(), optimizers.Accumulate(inner(0.01), 2), 4)
    assert int(whole.optimizer.iterations) == int(parts.optimizer.iterations) == 6
    assert close(parts, whole)


@pytest.mark.slow
def test_without_attach_batches_count_alike():
    whole = fitted(network(), keras.optimizers.SGD(0.1), 2, epochs=1)
    made = optimizers.Accumulate(keras.optimizers.SGD(0.1), 1)
    assert close(fitted(network(), made, 2, epochs=1, attach=False), whole)
    made = optimizers.Accumulate(keras.optimizers.SGD(0.1), 11)
    means = fitted(network(), made, 2, epochs=1, attach=False)
    whole = fitted(network(), keras.optimizers.SGD(0.1), 22, epochs=1)
    assert close(means, whole)


def five_batches(optimizer):
    model = network()
    model.compile(optimizer, "mse")
    model.fit(X[:20], Y[:20], batch_size=4, shuffle=False, verbose=0)
    return model


def test_k8_keras_drops_the_last_batches_and_ours_take_a_step():
    options = {"gradient_accumulation_steps": 4}
    theirs = five_batches(keras.optimizers.SGD(0.1, **options))
    assert int(theirs.optimizer.iterations) == 1
    ours = five_batches(optimizers.Accumulate(keras.optimizers.SGD(0.1), 4))
    assert int(ours.optimizer.iterations) == 2
    assert int(ours.optimizer.count) == 0
    steps = network()
    steps.compile(keras.optimizers.SGD(0.1), "mse")
    steps.train_on_batch(X[:16], Y[:16])
    assert close(theirs, steps)
    steps.train_on_batch(X[16:20], Y[16:20])
    assert close(ours, steps)


def test_k8_averages_of_keras_move_with_every_batch_and_ours_with_every_step():
    """Weights go 1, 2, 3 in three steps of two batches; half stays at each move."""

    def average(optimizer, averages):
        variable = keras.Variable([0.0])
        for _ in range(6):
            optimizer.apply([-keras.ops.ones(1)], [variable])
        assert variable.numpy().tolist() == [3.0]
        return float(averages(optimizer).numpy()[0])

    theirs = average(
        keras.optimizers.SGD(
            1.0, gradient_accumulation_steps=2, use_ema=True, ema_momentum=0.5
        ),
        lambda optimizer: next(v for v in optimizer.variables if "average" in v.path),
    )
    expected = 0.5 * (0.5 * 1.0 + 0.5 * 2.0) + 0.5 * 3.0
    assert theirs != pytest.approx(expected, abs=0.01)

    def averaged(inner):
        return optimizers.WeightAverage(inner, 0.5, warm_up=None)

    first = optimizers.Accumulate(averaged(keras.optimizers.SGD(1.0)), 2)
    ours = average(first, lambda optimizer: optimizer.inner_optimizer.averages[0])
    assert ours == pytest.approx(expected)
    inside = keras.optimizers.SGD(1.0, gradient_accumulation_steps=2)
    ours = average(averaged(inside), lambda optimizer: optimizer.averages[0])
    assert ours == pytest.approx(expected)


def normalized():
    return network(keras.layers.BatchNormalization(momentum=0.5))


def statistics(model):
    return model.layers[0].get_weights()[2:]


@pytest.mark.slow
def test_k8_moving_statistics_of_keras_move_with_every_batch_and_ours_with_a_step():
    """The rate is 0, so that batches are normalized alike whatever their size."""
    whole = statistics(fitted(normalized(), keras.optimizers.SGD(0.0), 8))
    options = {"gradient_accumulation_steps": 2}
    theirs = statistics(fitted(normalized(), keras.optimizers.SGD(0.0, **options), 4))
    made = optimizers.Accumulate(keras.optimizers.SGD(0.0), 2)
    ours = statistics(fitted(normalized(), made, 4))
    for x, y in zip(ours, whole, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-5)
    assert any(np.abs(x - y).max() > 0.01 for x, y in zip(theirs, whole, strict=True))


def test_statistics_that_are_frozen_stay_and_momenta_come_back():
    model = normalized()
    model.layers[0].trainable = False
    model.layers[0].set_weights([np.full(3, x) for x in (1.0, 0.1, 0.3, 0.7)])
    before = statistics(model)
    fitted(model, optimizers.Accumulate(keras.optimizers.SGD(0.01), 2), 4)
    for x, y in zip(statistics(model), before, strict=True):
        np.testing.assert_array_equal(x, y)
    assert model.layers[0].momentum == 0.5


def test_layers_that_normalize_parts_of_a_batch_move_once_too():
    ghost = layers.GhostBatchNormalization(4, momentum=0.5)
    model = network(ghost)
    model.compile(optimizers.Accumulate(keras.optimizers.SGD(0.0), 2), "mse")
    optimizers.attach(model)
    model.fit(X[:8], Y[:8], batch_size=4, shuffle=False, verbose=0)
    found = 0.5 * X[:8].mean(axis=0)
    np.testing.assert_allclose(statistics(model)[0], found, rtol=1e-5)


def test_a_layer_that_is_called_twice_gets_the_statistics_of_both_calls():
    def shared():
        norm = keras.layers.BatchNormalization(momentum=0.5)
        inputs = keras.Input((3,))
        outputs = norm(inputs) + norm(3.0 * inputs + 1.0)
        model = keras.Model(inputs, keras.layers.Dense(1)(outputs))
        return model, norm

    model, norm = shared()
    model.compile(optimizers.Accumulate(keras.optimizers.SGD(0.0), 2), "mse")
    optimizers.attach(model)
    model.fit(X[:8], Y[:8], batch_size=4, shuffle=False, verbose=0)
    first, second = X[:8].mean(axis=0), (3 * X[:8] + 1).mean(axis=0)
    # The later call weighs twice as much with this momentum, as with Keras.
    found = 0.5 * (first + 2 * second) / 3
    np.testing.assert_allclose(norm.moving_mean.numpy(), found, rtol=1e-5)

    model, norm = shared()
    batch_norm.recalibrate(model, [X[:4], X[4:8]])
    mean = (first + second) / 2
    np.testing.assert_allclose(norm.moving_mean.numpy(), mean, rtol=1e-4)


@pytest.mark.slow
def test_a_window_goes_on_after_loading_bit_for_bit(tmp_path):
    def batch(model, number):
        part = slice(4 * number, 4 * number + 4)
        model.train_on_batch(X[part], Y[part])

    model = normalized()
    made = optimizers.Accumulate(keras.optimizers.Adam(0.01), 3)
    model.compile(made, "mse", jit_compile=True)
    optimizers.attach(model)
    batch(model, 0)
    batch(model, 1)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    optimizers.attach(loaded)
    assert int(loaded.optimizer.count) == 2
    for each in (model, loaded):
        before = each.get_weights()
        batch(each, 2)
        assert (each.get_weights()[0] != before[0]).any()
        batch(each, 3)
        each.optimizer.flush()
    for x, y in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_schedule_counts_steps_and_not_batches():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [1.0, 0.0])
    wrapped = optimizers.Accumulate(keras.optimizers.SGD(schedule), 2)
    variable = keras.Variable([0.0])
    for _ in range(4):
        wrapped.apply([-keras.ops.ones(1)], [variable])
    assert variable.numpy().tolist() == [1.0]


def test_statistics_of_another_model_are_refused():
    optimizer = optimizers.Accumulate(keras.optimizers.SGD(0.0), 2)
    model = normalized()
    model.compile(optimizer, "mse")
    optimizers.attach(model)
    other = network(keras.layers.Dense(4), keras.layers.BatchNormalization())
    other.compile(optimizer, "mse")
    with pytest.raises(ValueError, match="moving statistics of shapes"):
        optimizers.attach(other)


@pytest.mark.slow
def test_averages_in_large_batches_are_saved_and_swapped():
    """All that goes around a step, together."""
    inner = optimizers.Lookahead(keras.optimizers.Adam(0.01), 2)
    averaged = optimizers.WeightAverage(inner, 0.5)
    model = normalized()
    swap = callbacks.SwapWeights()
    fitted(model, optimizers.Accumulate(averaged, 2), 4, callbacks=[swap])
    assert averaged.averaged
    assert int(averaged.count) == 6


@pytest.mark.slow
def test_what_is_left_over_is_trained_with_averages_put_in_before():
    """Five batches, windows of two, averages in the model as `fit` ends."""

    def model_after(hooks):
        model = normalized()
        averaged = optimizers.WeightAverage(keras.optimizers.SGD(0.1), 0.5)
        model.compile(optimizers.Accumulate(averaged, 2), "mse", jit_compile=True)
        optimizers.attach(model)
        model.fit(
            X[:20], Y[:20], batch_size=4, shuffle=False, verbose=0, callbacks=hooks
        )
        return model, averaged

    ours, optimizer = model_after([callbacks.SwapWeights()])
    theirs, other = model_after([])
    assert optimizer.averaged
    assert not other.averaged
    other.swap()
    for x, y in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)
    optimizer.swap()
    other.swap()
    for x, y in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("skipped", [0, 1])
def test_a_batch_that_overflows_counts_for_no_statistics(skipped):
    model = network(keras.layers.BatchNormalization(momentum=0.0))
    inner = optimizers.Accumulate(keras.optimizers.SGD(0.0), 3)
    scaled = keras.optimizers.LossScaleOptimizer(inner, initial_scale=2.0)
    model.compile(scaled, "mse", jit_compile=True)
    optimizers.attach(model)
    scaled.build(model.trainable_variables)
    start = statistics(model)
    for batch in range(4):
        assert int(inner.count.numpy()) == (batch if batch <= skipped else batch - 1)
        np.testing.assert_array_equal(statistics(model)[0], start[0])
        targets = np.full((4, 1), np.inf) if batch == skipped else Y[:4]
        model.train_on_batch(X[:4], targets)
    np.testing.assert_allclose(statistics(model)[0], X[:4].mean(axis=0), rtol=1e-5)


def test_sums_of_half_precision_do_not_overflow():
    variable = keras.Variable([1.0], dtype="float16")
    wrapped = optimizers.Accumulate(keras.optimizers.SGD(0.1), 2)
    wrapped._samples = 512.0
    for _ in range(2):
        wrapped.apply([keras.ops.full((1,), 200.0, "float16")], [variable])
    np.testing.assert_allclose(variable.numpy(), [-19.0], rtol=1e-2)


def test_a_flush_leaves_variables_without_a_gradient_alone():
    variables = [keras.Variable([1.0], name=name) for name in "ab"]
    inner = keras.optimizers.SGD(0.5, weight_decay=0.1)
    wrapped = optimizers.Accumulate(inner, 2)
    wrapped.build(variables)
    wrapped.apply([keras.ops.ones(1)], variables[1:])
    wrapped.flush()
    assert [float(v.numpy()[0]) for v in variables] == [1.0, pytest.approx(0.45)]
