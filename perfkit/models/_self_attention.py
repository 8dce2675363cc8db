"""Attention of a sequence to itself."""

import keras

from perfkit import layers
from perfkit._backend import ops
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class SelfAttention(Configured, keras.layers.Layer):
    """Let each step gather from all steps that are seen, with several heads.

    Keras's `MultiHeadAttention` has no way in for rotary embeddings.

    Args:
        heads: Heads, each with `channels / heads` features.
        rotary: Whether queries and keys are turned by their position.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(batch, steps, channels)`, and `seen`, a boolean `(batch, steps)`, or `None`;
        `(batch, steps, channels)` out.

    Reference: Vaswani et al., Attention Is All You Need, 2017, arXiv 1706.03762.
    """

    def __init__(self, heads, *, rotary=False, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.rotary = rotary

    def build(self, input_shape):
        channels = input_shape[-1]
        self.project = self._dense(channels, 3 * channels, "project")
        self.combine = self._dense(channels, channels, "combine")
        if self.rotary:
            self.turn = layers.RotaryEmbedding(dtype=self.dtype_policy, name="turn")

    def _dense(self, inputs, outputs, name):
        layer = keras.layers.Dense(outputs, dtype=self.dtype_policy, name=name)
        layer.build((None, None, inputs))
        return layer

    def call(self, inputs, seen=None):
        shape, channels = ops.shape(inputs), inputs.shape[-1]
        each = (shape[0], shape[1], self.heads, channels // self.heads)
        parts = ops.split(self.project(inputs), 3, axis=-1)
        query, key, value = (ops.reshape(part, each) for part in parts)
        if self.rotary:
            query, key = self.turn(query), self.turn(key)
        mask = None if seen is None else seen[:, None, None, :]
        gathered = ops.dot_product_attention(query, key, value, mask=mask)
        return self.combine(ops.reshape(gathered, (shape[0], shape[1], channels)))

    def compute_output_shape(self, inputs_shape, seen_shape=None):  # noqa: ARG002
        return inputs_shape
