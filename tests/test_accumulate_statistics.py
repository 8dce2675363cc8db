"""Moving statistics in large batches that come in parts, and averages of them."""

import keras
import numpy as np
import pytest

from perfkit import layers, losses, optimizers

RNG = np.random.default_rng(1)
X = RNG.normal(5.0, 2.0, size=(16, 3)).astype("float32")
Y = np.ones((16, 1), "float32")


def normalized(momentum=0.5):
    norm = keras.layers.BatchNormalization(momentum=momentum)
    return keras.Sequential([keras.Input((3,)), norm, keras.layers.Dense(1)])


def averaging():
    """Half of the average stays at each step; the weights stay where they are."""
    return optimizers.WeightAverage(keras.optimizers.SGD(0.0), 0.5, warm_up=None)


def fitted(model, optimizer, samples, batch_size, epochs=1):
    model.compile(optimizer, "mse", jit_compile=True)
    optimizers.attach(model)
    model.fit(
        X[:samples],
        Y[:samples],
        batch_size=batch_size,
        epochs=epochs,
        shuffle=False,
        verbose=0,
    )
    return model


def statistics(model):
    return [np.array(w) for w in model.layers[0].get_weights()[2:]]


def averaged(model):
    found = optimizers.find(model, optimizers.WeightAverage)
    return [np.array(slot.numpy()) for slot in found.statistic_slots]


def assert_close(ours, theirs, **options):
    for x, y in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(x, y, **{"rtol": 2e-5, **options})


@pytest.mark.slow
def test_averages_of_statistics_are_those_of_the_large_batches():
    whole = fitted(normalized(), averaging(), 16, 8)
    parts = fitted(normalized(), optimizers.Accumulate(averaging(), 2), 16, 4)
    assert_close(statistics(parts), statistics(whole))
    assert_close(averaged(parts), averaged(whole))


@pytest.mark.slow
def test_what_is_left_over_moves_the_averages_of_statistics_too():
    """Eight samples are a step, and the four that are left another one."""
    model = fitted(normalized(), optimizers.Accumulate(averaging(), 2), 12, 4)
    mean, variance = np.zeros(3), np.ones(3)
    averages = None
    for batch in (X[:8], X[8:12]):
        mean = 0.5 * mean + 0.5 * batch.mean(axis=0)
        variance = 0.5 * variance + 0.5 * batch.var(axis=0)
        now = np.stack([mean, variance])
        averages = now if averages is None else 0.5 * averages + 0.5 * now
    assert_close(statistics(model), [mean, variance])
    assert_close(averaged(model), averages)


@pytest.mark.slow
def test_training_with_averages_in_place_begins_from_the_trained_statistics():
    def twice(swapped):
        model = fitted(normalized(), optimizers.Accumulate(averaging(), 2), 16, 4)
        if swapped:
            optimizers.find(model, optimizers.WeightAverage).swap()
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
        return model

    plain, swapped = twice(False), twice(True)
    assert_close(statistics(swapped), statistics(plain))
    assert_close(averaged(swapped), averaged(plain))


def test_small_variances_around_large_means_stay_what_they_are():
    model = normalized(momentum=0.9)
    model.compile(optimizers.Accumulate(keras.optimizers.SGD(0.0), 2), "mse")
    optimizers.attach(model)
    inputs = RNG.normal(1e4, 1.0, size=(64, 3)).astype("float32")
    model.fit(inputs, np.ones((64, 1)), batch_size=8, epochs=20, verbose=0)
    _, variance = statistics(model)
    np.testing.assert_allclose(variance, inputs.var(axis=0), rtol=0.2)


@pytest.mark.slow
def test_statistics_that_never_move_are_left_alone():
    model = fitted(
        normalized(momentum=1.0), optimizers.Accumulate("sgd", 2), 16, 4, epochs=2
    )
    assert_close(statistics(model), [np.zeros(3), np.ones(3)], rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("passes", [1, 2])
def test_ghost_batches_are_counted_by_what_the_layer_receives(passes):
    """Two passes give it twice the batch, in twice as many parts."""
    ghost = layers.GhostBatchNormalization(4, momentum=0.5)
    model = network = keras.Sequential(
        [keras.Input((3,)), ghost, keras.layers.Dense(1)]
    )
    if passes == 2:
        model = losses.TwoPasses(network)
    inner = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(
        optimizers.Accumulate(keras.optimizers.SGD(0.0), 2),
        losses.RDrop(inner, 0.0),
        jit_compile=True,
    )
    optimizers.attach(model)
    model.fit(X[:8], Y[:8], batch_size=4, shuffle=False, verbose=0)

    def of_part(part):
        """What the parts of a batch move a mean of 0 towards."""
        rows = np.repeat(part, passes, axis=0).reshape(passes, 4, 3)
        mean = np.zeros(3)
        for each in rows:
            mean = 0.5 * mean + 0.5 * each.mean(axis=0)
        return mean / (1.0 - 0.5**passes)

    expected = 0.5 * np.mean([of_part(X[:4]), of_part(X[4:8])], axis=0)
    np.testing.assert_allclose(statistics(network)[0], expected, rtol=2e-5)
