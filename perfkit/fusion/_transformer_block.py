"""A block of a Transformer encoder with normalization before its parts."""

import keras

from perfkit._backend import ops
from perfkit.ops import modalities


class TransformerBlock(keras.layers.Layer):
    """Self-attention and two dense layers, each a residual branch.

    Args:
        heads: A divisor of the channels.
        hidden: Units between the two dense layers.
        **kwargs: See `keras.layers.Layer`.
    """

    def __init__(self, heads, hidden, **kwargs):
        super().__init__(**kwargs)
        self.heads, self.hidden = heads, hidden

    def build(self, input_shape):
        width = input_shape[-1]
        flat = (None, width)
        self.norms = [self._normalization(f"norm_{k}", flat) for k in range(2)]
        self.inner = self._dense(3 * width, "query_key_value", flat)
        self.outer = self._dense(width, "output", flat)
        self.first = self._dense(self.hidden, "first", flat, activation="gelu")
        self.second = self._dense(width, "second", (None, self.hidden))

    def call(self, inputs, seen=None):
        three = ops.split(self.inner(self.norms[0](inputs)), 3, axis=-1)
        queries, keys, values = three
        found = modalities.attended(queries, keys, values, seen, self.heads)
        x = inputs + self.outer(found)
        return x + self.second(self.first(self.norms[1](x)))

    def compute_output_shape(self, input_shape):
        return input_shape

    def _normalization(self, name, shape):
        layer = keras.layers.LayerNormalization(
            epsilon=1e-6, name=name, dtype=self.dtype_policy
        )
        layer.build(shape)
        return layer

    def _dense(self, units, name, shape, **kwargs):
        layer = keras.layers.Dense(units, name=name, dtype=self.dtype_policy, **kwargs)
        layer.build(shape)
        return layer
