"""Downsampling that blurs first, against SciPy."""

import keras
import numpy as np
import pytest
import scipy.ndimage

from perfkit import layers
from tests.layer_conformance.common import numpy

WEIGHTS = {
    2: [0.5, 0.5],
    3: [0.25, 0.5, 0.25],
    5: [0.0625, 0.25, 0.375, 0.25, 0.0625],
}


def image(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("places", [(7, 6), (1, 2), (2, 9)])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("size", WEIGHTS)
def test_it_is_a_binomial_filter_of_which_some_places_are_kept(size, strides, places):
    x = image(2, *places, 3)
    wanted = x.astype("float64")
    for axis in (1, 2):
        wanted = scipy.ndimage.correlate1d(
            # An even filter reaches further to the right, and SciPy's to the left.
            wanted,
            WEIGHTS[size],
            axis=axis,
            mode="mirror",
            origin=-1 if size == 2 else 0,
        )
    found = numpy(layers.BlurPool(size, strides)(x))
    np.testing.assert_allclose(found, wanted[:, ::strides, ::strides], atol=1e-6)


def test_a_shift_changes_less_than_with_strides_alone():
    x = image(1, 33, 33, 4)
    kept, shifted = x[:, :-1, :-1], x[:, 1:, 1:]

    def moved(pool):
        return np.abs(numpy(pool(kept)) - numpy(pool(shifted)))[:, 1:-1, 1:-1].mean()

    assert moved(layers.BlurPool()) < 0.5 * moved(lambda x: x[:, ::2, ::2])


def test_the_slope_is_that_of_the_filter_whether_sizes_are_known_or_not():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("sizes are always known")
    import tensorflow as tf

    layer, x = layers.BlurPool(5), tf.constant(image(1, 6, 5, 2))

    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x) ** 3)
        return tape.gradient(loss, x)

    unknown = tf.function(slope, input_signature=[tf.TensorSpec((None, None, None, 2))])
    np.testing.assert_allclose(unknown(x), slope(x), atol=1e-5)
    step = 1e-2
    for place in ((0, 0, 0, 0), (0, 3, 2, 1), (0, 5, 4, 0)):
        nudge = np.zeros(x.shape, "float32")
        nudge[place] = step
        difference = np.sum(numpy(layer(x + nudge)) ** 3 - numpy(layer(x - nudge)) ** 3)
        assert float(slope(x)[place]) == pytest.approx(
            difference / (2 * step), rel=0.02, abs=1e-3
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 1}, r"`BlurPool\(size=...\)` must be a whole number within \[2, 7\]"),
        ({"strides": 0}, r"`BlurPool\(strides=...\)`.*Received: strides=0"),
        ({"data_format": "nhwc"}, r"`BlurPool\(data_format=...\)` must be one of"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        layers.BlurPool(**arguments)
