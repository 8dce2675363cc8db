"""What tests of smaller models share: something to learn, and what is seen of them."""

import keras
import numpy as np
import pytest

from perfkit import compress
from tests.support import networks

ON_TENSORFLOW = keras.backend.backend() == "tensorflow"
about_the_file = pytest.mark.skipif(
    not ON_TENSORFLOW, reason="the second process writes what is tested on TensorFlow"
)


def labels(x):
    """Whether there is more red than green: learned in a few steps, wherever it is."""
    return (x[..., 0].mean(axis=(1, 2)) > x[..., 1].mean(axis=(1, 2))).astype("int32")


def tinted(count, seed=1):
    """Images whose labels are plainer to see, and still by degrees."""
    tints = np.random.default_rng(seed).normal(0.0, 0.5, (count, 1, 1, 3))
    return (networks.images(count, seed) + tints).astype("float32")


def fitted(model, x, steps=30, **options):
    """Train so many steps of 32 images on their labels; return the mean loss."""
    y = labels(x)
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **options,
    )
    repeats = -(-steps * 32 // len(x))
    x, y = np.tile(x, (repeats, 1, 1, 1)), np.tile(y, repeats)
    history = model.fit(x, y, batch_size=32, shuffle=False, verbose=0).history
    return history["loss"][0]


def value(variable):
    """What a variable holds, as an array of its own."""
    return np.array(keras.ops.convert_to_numpy(variable))


def of_kind(model, kind):
    """Layers of a class, inside layers and models as well."""
    return [layer for layer in networks.every_layer(model) if isinstance(layer, kind)]


def reparameterized(model):
    """Layers whose kernels are computed from what they hold."""
    return of_kind(model, compress.Reparameterized)


def ranges(model):
    """Ranges of fake quantization by the names of its layers."""
    found = of_kind(model, compress.FakeQuantization)
    return {layer.name: (float(layer.low), float(layer.high)) for layer in found}


def sqnr(expected, found):
    """Signal-to-noise ratio in decibels."""
    noise = np.square(found - expected).sum()
    return 10 * np.log10(np.square(expected).sum() / noise)


def quantized(model, data=None, **options):
    return compress.quantize(model, data, verbose=False, **options)
