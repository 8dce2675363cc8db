"""Statistics of batch normalization become those of the data."""

import keras
import numpy as np
import pytest

from perfkit import transfer

X = np.random.default_rng(0).normal(3.0, 2.0, (24, 4)).astype("float32")
BATCHES = [X[:16], X[16:]]


def built(*between):
    keras.utils.set_random_seed(1)
    layers = [
        keras.layers.Dense(3),
        *between,
        keras.layers.BatchNormalization(name="first"),
        keras.layers.ReLU(),
        keras.layers.Dense(3),
        keras.layers.BatchNormalization(name="second"),
    ]
    return keras.Sequential([keras.Input((4,)), *layers])


def statistics(model, name):
    layer = model.get_layer(name)
    return np.array(layer.moving_mean), np.array(layer.moving_variance)


def test_statistics_are_those_of_all_samples():
    model = built()
    transfer.recalibrate_batch_norm(model, BATCHES, verbose=False)
    x = X @ np.array(model.layers[0].kernel)
    np.testing.assert_allclose(statistics(model, "first")[0], x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(statistics(model, "first")[1], x.var(0), rtol=1e-4)


def test_later_layers_see_what_earlier_ones_make_of_their_batches():
    model = built()
    transfer.recalibrate_batch_norm(model, BATCHES, verbose=False)
    first = model.get_layer("first")
    made = []
    for batch in BATCHES:
        x = batch @ np.array(model.layers[0].kernel)
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + first.epsilon)
        made.append(np.maximum(x, 0) @ np.array(model.layers[3].kernel))
    every = np.concatenate(made)
    found = statistics(model, "second")
    np.testing.assert_allclose(found[0], every.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1], every.var(0), rtol=1e-4)


@pytest.mark.parametrize("frozen", [False, True])
def test_frozen_layers_count_too_and_stay_frozen(frozen):
    model = built()
    model.trainable = not frozen
    before = [np.array(w) for w in model.trainable_weights]
    transfer.recalibrate_batch_norm(model, BATCHES, verbose=False)
    x = X @ np.array(model.layers[0].kernel)
    np.testing.assert_allclose(statistics(model, "first")[0], x.mean(0), rtol=1e-5)
    assert len(model.trainable_weights) == (0 if frozen else 8)
    assert model.get_layer("first").trainable is not frozen
    for old, new in zip(before, model.trainable_weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_dropout_is_off():
    plain, dropping = built(), built(keras.layers.Dropout(0.5, seed=0))
    for model in (plain, dropping):
        transfer.recalibrate_batch_norm(model, BATCHES, verbose=False)
    for name in ("first", "second"):
        for a, b in zip(
            statistics(plain, name), statistics(dropping, name), strict=True
        ):
            np.testing.assert_allclose(a, b, rtol=1e-6)


def test_the_model_is_as_before_where_data_break_off():
    def broken():
        yield X
        raise OSError("disk")

    model = built()
    before = [np.array(w) for w in model.weights]
    with pytest.raises(OSError, match="disk"):
        transfer.recalibrate_batch_norm(model, broken(), verbose=False)
    for old, new in zip(before, model.weights, strict=True):
        np.testing.assert_array_equal(old, new)
    out = model(X, training=True)  # nothing is left on the layers
    assert not np.allclose(out, model(X, training=False))


def test_progress_is_shown(capsys):
    transfer.recalibrate_batch_norm(built(), BATCHES)
    assert "2/Unknown" in capsys.readouterr().out


def test_wrong_arguments():
    model = built()
    with pytest.raises(TypeError, match=r"recalibrate_batch_norm\(data=...\)"):
        transfer.recalibrate_batch_norm(model, X)
    with pytest.raises(ValueError, match="at least one batch"):
        transfer.recalibrate_batch_norm(model, [])
    with pytest.raises(TypeError, match=r"recalibrate_batch_norm\(model=...\)"):
        transfer.recalibrate_batch_norm("model", BATCHES)
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="one with batch normalization"):
        transfer.recalibrate_batch_norm(plain, BATCHES)
