"""A small bottleneck that learns what a frozen layer lacks."""

import keras

from perfkit import _check
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class Adapter(Configured, keras.layers.Layer):
    """Add what a bottleneck makes of the features: down, activation, up.

    The way up begins as zeros, so that the layer at first returns its inputs, bit for
    bit. `insert_adapters` puts these into a model.

    Args:
        units: Width of the bottleneck, at least 1.
        activation: Activation of the bottleneck: a Keras name or a function.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(..., features)`, the last axis known; same shape out.

    Raises:
        ValueError: If `units` is below 1 or the activation is unknown.

    Example:
        >>> import numpy as np
        >>> layer = Adapter(2)
        >>> np.array(layer(np.array([[1.0, -2.0, 3.0]]))).tolist()
        [[1.0, -2.0, 3.0]]
        >>> [tuple(weight.shape) for weight in layer.weights]
        [(3, 2), (2,), (2, 3), (3,)]

    Reference: Houlsby et al., Parameter-Efficient Transfer Learning for NLP, 2019,
        arXiv 1902.00751. They begin near the identity, with a standard deviation of
        0.01; here the way up begins as zeros, and the way down as usual.
    """

    def __init__(self, units, *, activation="gelu", **kwargs):
        super().__init__(**kwargs)
        self.units = _check.integer("Adapter", "units", units)
        self.activation = keras.activations.get(activation)
        self.supports_masking = True

    def build(self, input_shape):
        def dense(units, **arguments):
            return keras.layers.Dense(units, dtype=self.dtype_policy, **arguments)

        self.down = dense(self.units, activation=self.activation, name="down")
        self.up = dense(input_shape[-1], kernel_initializer="zeros", name="up")
        self.down.build(input_shape)
        self.up.build((*input_shape[:-1], self.units))

    def call(self, inputs):
        return inputs + self.up(self.down(inputs))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation}
