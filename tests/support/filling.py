"""Applies a layer that gets its weights from a file."""

import keras

RANDOM = ("kernel_initializer", "depthwise_initializer")


def apply(layer, x, weights):
    """Return what a new layer makes of `x`, and leave the layer with these weights.

    It is built from zeros, since on JAX random values cost a program for each shape.
    Its initializers are put back, so that a clone of the model can be trained.
    """
    initializers = {k: getattr(layer, k) for k in RANDOM if hasattr(layer, k)}
    for name in initializers:
        setattr(layer, name, keras.initializers.Zeros())
    x = layer(x)
    for name, initializer in initializers.items():
        setattr(layer, name, initializer)
    layer.set_weights(weights)
    return x
