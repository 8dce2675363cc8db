"""Rounding to the steps of integers, and ranges that are found for it."""

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.compress import _tfmot
from perfkit.ops import calibration, fake_quantization
from tests.support.compressing import ON_TENSORFLOW
from tests.support.compressing import value as array


def rounded(x, low, high, bits):
    """The steps of `2 ** bits` from low to high, moved so that 0 is one of them."""
    most = 2**bits - 1
    scale = (high - low) / most
    zero = np.clip(np.round(-low / scale), 0, most)
    steps = np.clip(np.floor(x / scale + zero + 0.5), 0, most)
    return (steps - zero) * scale


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("ends", [(-1.3, 2.1), (0.0, 6.0), (-3.0, 0.0)])
def test_tensors_are_rounded_to_the_steps_of_their_range(bits, ends):
    x = np.random.default_rng(0).uniform(-4, 7, 500).astype("float32")
    found = array(fake_quantization.activations(x, *ends, bits))
    expected = rounded(x.astype("float64"), *ends, bits)
    step = (ends[1] - ends[0]) / (2**bits - 1)
    assert np.mean(np.abs(found - expected) < 1e-3 * step) > 0.98  # but for ties
    assert np.abs(found - expected).max() < 1.01 * step
    assert len(np.unique(found)) <= 2**bits


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((3, 3, 4, 5), (-1,)),
        ((3, 3, 4, 5), (-2,)),
        ((3, 3, 4, 1), (-2, -1)),
        ((3, 3, 4, 2), (-2, -1)),
        ((6, 5), ()),
        ((6, 5), (0,)),
    ],
)
@pytest.mark.parametrize("bits", [4, 8])
def test_weights_have_a_symmetric_range_for_each_unit(shape, axes, bits):
    kernel = np.random.default_rng(0).normal(size=shape).astype("float32")
    found = array(fake_quantization.weights(kernel, axes, bits))
    others = tuple(k for k in range(len(shape)) if k - len(shape) not in axes)
    others = tuple(k for k in others if k not in axes)
    step = np.abs(kernel).max(axis=others, keepdims=True) / (2 ** (bits - 1) - 1)
    np.testing.assert_allclose(found, np.round(kernel / step) * step, atol=1e-6)


def test_zeros_stay_zero_and_a_kernel_of_nothing_else_is_no_trouble():
    kernel = np.zeros((3, 4), "float32")
    assert not array(fake_quantization.weights(kernel, (-1,))).any()
    kernel[0, 0], kernel[1, 1] = 1.0, -0.3
    found = array(fake_quantization.weights(kernel, (-1,)))
    assert (found != 0).sum() == 2


def test_gradients_pass_within_the_range_alone():
    from perfkit import _backend

    def loss(values):
        return keras.ops.sum(fake_quantization.activations(values[0], -1.0, 1.0) ** 2)

    x = keras.ops.convert_to_tensor(np.array([-2.0, -0.5, 0.0, 0.7, 3.0], "float32"))
    (gradient,) = _backend.differentiated(loss)([x])
    expected = 2 * rounded(np.array([-0.5, 0.0, 0.7]), -1.0, 1.0, 8)
    np.testing.assert_allclose(array(gradient), [0, *expected, 0], atol=1e-5)


def test_a_range_is_learned_in_training_alone():
    layer = compress.FakeQuantization(momentum=0.5)
    layer(np.array([[-1.0, 3.0]]), training=True)
    layer(np.array([[-3.0, 1.0]]), training=True)
    assert (float(layer.low), float(layer.high)) == (-2.0, 2.0)
    layer(np.array([[-9.0, 9.0]]), training=False)
    layer.trainable = False
    layer(np.array([[-9.0, 9.0]]), training=True)
    assert (float(layer.low), float(layer.high)) == (-2.0, 2.0)
    fixed = compress.FakeQuantization(fixed=(0.0, 1.0))
    fixed(np.array([[-9.0, 9.0]]), training=True)
    assert (float(fixed.low), float(fixed.high)) == (0.0, 1.0)


@pytest.mark.parametrize(
    "wrong",
    [{"bits": 1}, {"bits": 17}, {"momentum": 2}, {"fixed": (1, 2)}, {"fixed": (0, 0)}],
)
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(ValueError, match=rf"`FakeQuantization\({next(iter(wrong))}="):
        compress.FakeQuantization(**wrong)


# The same numbers from tfmot's quantizers in the same process


@pytest.fixture(scope="module")
def tfmot_ops():
    if not ON_TENSORFLOW:
        pytest.skip("tfmot is TensorFlow")
    _tfmot.tfmot()
    from tensorflow_model_optimization.python.core.quantization.keras import (
        quant_ops,
    )

    return quant_ops


def test_weights_are_those_of_tfmot_bit_for_bit(tfmot_ops):
    import tensorflow as tf

    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype("float32")
    low, high = tf.Variable(0.0), tf.Variable(0.0)
    theirs = tfmot_ops.LastValueQuantize(
        tf.constant(kernel),
        low,
        high,
        is_training=True,
        num_bits=8,
        symmetric=True,
        narrow_range=True,
    )
    ours = fake_quantization.weights(kernel, ())
    np.testing.assert_array_equal(array(ours), theirs.numpy())
    assert float(high) == np.abs(kernel).max()


def test_weights_of_each_channel_are_those_of_tfmot_bit_for_bit(tfmot_ops):
    import tensorflow as tf

    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype("float32")
    low, high = tf.Variable(np.zeros(5, "f")), tf.Variable(np.zeros(5, "f"))
    theirs = tfmot_ops.LastValueQuantize(
        tf.constant(kernel),
        low,
        high,
        per_channel=True,
        is_training=True,
        num_bits=8,
        symmetric=True,
        narrow_range=True,
    )
    ours = fake_quantization.weights(kernel, (-1,))
    np.testing.assert_array_equal(array(ours), theirs.numpy())


def test_moving_ranges_are_those_of_tfmot(tfmot_ops):
    import tensorflow as tf

    rng = np.random.default_rng(0)
    layer = compress.FakeQuantization(momentum=0.9)
    low, high = tf.Variable(0.0), tf.Variable(0.0)
    for step in range(6):
        x = rng.normal(size=(4, 7)).astype("float32")
        ours = layer(x, training=True)
        if step == 0:  # ours begins with the first batch
            low.assign(x.min())
            high.assign(x.max())
            continue
        theirs = tfmot_ops.MovingAvgQuantize(
            tf.constant(x), low, high, ema_decay=0.9, is_training=True, num_bits=8
        )
        found = float(layer.low), float(layer.high)
        assert found == pytest.approx((float(low), float(high)), rel=1e-6)
        np.testing.assert_allclose(array(ours), theirs.numpy(), atol=1e-6)


# Ranges from histograms


def histogram(values):
    found = calibration.Histogram(values.min(), values.max())
    for part in np.array_split(values, 3):
        found.add(part)
    return found


def test_a_histogram_counts_as_numpy_does():
    values = np.random.default_rng(0).normal(size=5000)
    expected, edges = np.histogram(values, bins=2048)
    found = histogram(values)
    assert np.abs(found.counts - expected).sum() <= 4  # on the edges
    np.testing.assert_allclose(found.centers, (edges[1:] + edges[:-1]) / 2, atol=1e-9)


@pytest.mark.parametrize("share", [100.0, 99.9, 99.0, 90.0])
def test_a_percentile_leaves_out_as_much_at_both_ends(share):
    values = np.random.default_rng(0).normal(size=20_000)
    low, high = calibration.percentile(histogram(values), share)
    expected = np.percentile(values, [100 - share, share])
    width = (values.max() - values.min()) / 2048
    assert abs(low - expected[0]) <= 3 * width
    assert abs(high - expected[1]) <= 3 * width


@pytest.mark.parametrize("bits", [4, 8])
def test_the_least_error_is_not_beaten_by_any_other_range(bits):
    values = np.random.default_rng(0).laplace(size=30_000)
    low, high = calibration.least_error(histogram(values), bits)

    def error(low, high):
        return np.mean((values - rounded(values, low, high, bits)) ** 2)

    assert error(low, high) < error(values.min(), values.max())
    shares = np.linspace(0.1, 1.0, 40)
    best = min(
        error(values.min() * a, values.max() * b) for a in shares for b in shares
    )
    assert error(low, high) < 1.05 * best


def test_the_least_divergence_clips_long_tails_and_keeps_what_has_none():
    rng = np.random.default_rng(0)
    tails = np.concatenate([rng.normal(size=100_000), [60.0, -45.0]])
    low, high = calibration.least_divergence(histogram(tails))
    assert 2.5 < high < 10
    assert -10 < low < -2.5
    flat = rng.uniform(0.0, 6.0, 100_000)
    low, high = calibration.least_divergence(histogram(flat))
    assert low == 0.0
    assert high > 5.5
