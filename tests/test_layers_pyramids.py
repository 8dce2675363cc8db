"""Pooling and convolving at several sizes, against the papers' formulas in NumPy."""

import math

import keras
import numpy as np
import pytest
import scipy.ndimage

from perfkit import _backend, layers
from perfkit.ops import atrous
from tests.layer_conformance.common import numpy, set_weights


def image(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("places", [(7, 6), (1, 3), (8, 4)])
@pytest.mark.parametrize("pooling", ["max", "average"])
def test_spatial_pyramid_pooling_is_bins_of_bins(pooling, places):
    x = image(2, *places, 3)
    reduce = np.max if pooling == "max" else np.mean
    wanted = []
    for bins in (1, 2, 3):
        for i in range(bins):
            rows = slice(i * places[0] // bins, math.ceil((i + 1) * places[0] / bins))
            for j in range(bins):
                ends = j * places[1] / bins, (j + 1) * places[1] / bins
                columns = slice(math.floor(ends[0]), math.ceil(ends[1]))
                # Rows first: a mean of means is that of all, as each row has as many.
                wanted.append(reduce(x[:, rows, columns], axis=(1, 2)))
    found = numpy(layers.SPP((1, 2, 3), pooling=pooling)(x))
    np.testing.assert_allclose(found, np.concatenate(wanted, -1), rtol=1e-5, atol=1e-6)


def test_images_of_any_size_make_vectors_of_one_size():
    layer = layers.SPP()
    sizes = {tuple(layer(image(1, *places, 2)).shape) for places in ((4, 9), (13, 5))}
    assert sizes == {(1, 2 * (1 + 4 + 16))}


def convolved(x, kernel, rate):
    """A convolution of one image, with zeros around it; `kernel` is HWIO."""
    total = 0.0
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            down, across = [(k - kernel.shape[0] // 2) * rate for k in (i, j)]
            moved = scipy.ndimage.shift(x, (0, -down, -across, 0), order=0)
            total = total + moved @ kernel[i, j]
    return total


@pytest.mark.parametrize(("rate", "size"), [(1, 3), (2, 3), (3, 5), (6, 3), (8, 3)])
def test_taps_make_a_convolution(rate, size):
    x = image(2, 7, 6, 3)
    kernel = np.random.default_rng(1).normal(size=(size, size, 3, 4))
    made = numpy(atrous.by_taps(x, kernel.astype("float32"), rate))
    np.testing.assert_allclose(made, convolved(x, kernel, rate), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("quick", [True, False])
def test_a_layer_convolves_by_taps_where_convolutions_are_slow(quick, monkeypatch):
    rates, by_taps = [], atrous.by_taps
    monkeypatch.setattr(
        atrous, "by_taps", lambda *given: (rates.append(given[2]), by_taps(*given))[1]
    )
    monkeypatch.setattr(_backend, "has_quick_convolutions", lambda: quick)
    x, layer = image(2, 9, 8, 2), layers.ASPP(4, (1, 3))
    outputs = numpy(layer(x))
    assert rates == ([] if quick else [3])
    monkeypatch.setattr(_backend, "has_quick_convolutions", lambda: not quick)
    np.testing.assert_allclose(numpy(layer(x)), outputs, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="sizes are known")
def test_a_layer_convolves_images_of_unknown_sizes():
    import tensorflow as tf

    x, layer = image(2, 9, 8, 2), layers.ASPP(4, (1, 3))
    wanted = numpy(layer(x))
    unknown = tf.function(layer, input_signature=[tf.TensorSpec((None, None, None, 2))])
    np.testing.assert_allclose(numpy(unknown(x)), wanted, rtol=1e-4, atol=1e-5)


def test_atrous_spatial_pyramid_pooling_is_the_papers():
    x = image(2, 7, 6, 3)
    layer = layers.ASPP(4, (1, 2))
    layer(x)
    set_weights(layer)

    def through(branch, x, rate=1):
        convolution, normalization = branch
        x = convolved(x, numpy(convolution.kernel).astype("float64"), rate)
        mean, variance, gamma, beta = (
            numpy(getattr(normalization, name)).astype("float64")
            for name in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return np.maximum((x - mean) / np.sqrt(variance + 1e-5) * gamma + beta, 0.0)

    whole = through(layer.whole, x.astype("float64").mean((1, 2), keepdims=True))
    views = [
        through(layer.near, x),
        through(layer.far[0], x),
        through(layer.far[1], x, 2),
        np.broadcast_to(whole, (2, 7, 6, 4)),
    ]
    wanted = through(layer.project, np.concatenate(views, axis=-1))
    np.testing.assert_allclose(numpy(layer(x)), wanted, rtol=1e-4, atol=1e-5)


def test_outputs_are_dropped_in_training_alone():
    x = image(2, 7, 6, 3)
    layer = layers.ASPP(8, (1,), rate=0.5, seed=0)
    shares = [np.mean(numpy(layer(x, training=mode)) == 0.0) for mode in (True, False)]
    assert shares[0] - shares[1] > 0.1


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.SPP((2, 1)), r"`SPP\(bins=...\)` must be whole numbers"),
        (lambda: layers.SPP((1, 65)), r"`SPP\(bins=...\)` must be at most 64"),
        (lambda: layers.SPP(pooling="mean"), r"`SPP\(pooling=...\)` must be one of"),
        (lambda: layers.ASPP(0), r"`ASPP\(filters=...\)` must be a whole number"),
        (lambda: layers.ASPP(4, ()), r"`ASPP\(dilation_rates=...\)` must be whole"),
        (lambda: layers.ASPP(4, rate=1.0), r"`ASPP\(rate=...\)` must be a number"),
    ],
)
def test_a_wrong_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
