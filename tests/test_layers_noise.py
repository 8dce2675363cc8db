"""Noise in proportion to what it is added to."""

import keras
import numpy as np
import pytest

from perfkit.layers import ScaledGaussianNoise

PLACES = 4096


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def channels(*shape):
    """Three channels of the deviations 5, 0 and 0.01, about their means."""
    drawn = np.random.default_rng(0).normal(size=(*shape, 3))
    drawn = (drawn - drawn.mean()) / drawn.std(axis=tuple(range(len(shape))))
    return (drawn * [5.0, 0.0, 0.01] + [10.0, 3.0, 0.0]).astype("float32")


@pytest.mark.parametrize("shape", [(PLACES,), (64, 64), (16, 16, 16)])
def test_each_channel_has_its_own_share_of_noise(shape):
    x = channels(*shape)
    noise = numpy(ScaledGaussianNoise(0.2, seed=1)(x, training=True)) - x
    noise = noise.reshape(-1, 3) / [0.2 * 5.0, 1.0, 0.2 * 0.01]
    assert (noise[:, 1] == 0.0).all()
    for column in (0, 2):
        drawn = noise[:, column]
        assert abs(drawn.mean()) < 4 / np.sqrt(PLACES)
        assert abs(drawn.std() - 1.0) < 4 / np.sqrt(2 * PLACES)
        assert abs((np.abs(drawn) < 1.0).mean() - 0.6827) < 4 * np.sqrt(0.2167 / PLACES)
    assert abs(np.corrcoef(noise[:, 0], noise[:, 2])[0, 1]) < 4 / np.sqrt(PLACES)


def test_channels_may_come_first():
    x = channels(64, 64)
    first = ScaledGaussianNoise(0.2, axis=1, seed=1)(
        np.moveaxis(x, -1, 1), training=True
    )
    noise = np.moveaxis(numpy(first), 1, -1) - x
    spread = noise.reshape(-1, 3).std(axis=0)
    np.testing.assert_allclose(spread, [1.0, 0.0, 0.002], rtol=0.05, atol=1e-6)


def test_nothing_happens_at_inference_or_without_noise():
    x = channels(8)
    for layer, training in (
        (ScaledGaussianNoise(0.5), False),
        (ScaledGaussianNoise(0.0), True),
    ):
        np.testing.assert_array_equal(numpy(layer(x, training=training)), x)


def test_gradients_pass_as_if_the_noise_were_a_constant():
    """The mean of the outputs has the gradient that it has without noise."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    noise = ScaledGaussianNoise(3.0, seed=1)
    model = keras.Sequential([keras.Input((2,)), dense, noise])
    x = np.random.default_rng(1).normal(2.0, 1.0, (8, 2)).astype("float32")
    model.compile(
        keras.optimizers.SGD(1.0),
        lambda _, y: keras.ops.mean(y, axis=-1),
        jit_compile=True,
    )
    model.fit(x, np.zeros(8), batch_size=8, verbose=0)
    np.testing.assert_allclose(
        dense.get_weights()[0][:, 0], 1.0 - x.mean(axis=0), rtol=1e-5
    )


def test_the_same_seed_draws_the_same_and_the_next_call_something_else():
    x = channels(16)
    first, second = (ScaledGaussianNoise(0.1, seed=2) for _ in range(2))
    calls = [numpy(first(x, training=True)) for _ in range(2)]
    again = [numpy(second(x, training=True)) for _ in range(2)]
    np.testing.assert_array_equal(calls, again)
    assert (calls[0] != calls[1]).any()


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_it_keeps_to_its_dtype(dtype):
    x = 300.0 + 100.0 * channels(64)  # whose squares float16 does not hold
    outputs = ScaledGaussianNoise(0.1, seed=1, dtype=dtype)(x, training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype[len("mixed_") :]
    spread = (numpy(outputs).astype("float32") - x)[:, 0].std()
    assert spread == pytest.approx(50.0, rel=0.3)


def test_it_is_saved_with_its_arguments(tmp_path):
    layer = ScaledGaussianNoise(0.3, axis=1, seed=4)
    model = keras.Sequential([keras.Input((3, 2)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[0]
    assert (loaded.stddev, loaded.axis, loaded.seed) == (0.3, 1, 4)


@pytest.mark.parametrize(
    "change", [{"stddev": -0.1}, {"stddev": "1"}, {"axis": 0.5}, {"seed": -1}], ids=str
)
def test_a_wrong_argument_is_named(change):
    (name,) = change
    with pytest.raises(ValueError, match=rf"`ScaledGaussianNoise\({name}=...\)` must"):
        ScaledGaussianNoise(**{"stddev": 0.1, **change})
