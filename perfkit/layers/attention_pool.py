"""Pooling by what a learned query attends to."""

import math
from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.pooling import Pooling


@keras.saving.register_keras_serializable(package="perfkit")
class AttentionPool(Pooling):
    """Pool the places by an average whose weights a learned query gives them.

    Each head scores the places by all channels, and averages its own share of the
    channels: head 0 the first ones, and so on. Queries begin as zeros, and so the layer
    as average pooling. It has `channels * heads` weights. Features of very different
    sizes want a `LayerNormalization` before.

    Args:
        heads: Queries. At least 1; the channels are a multiple of it.
        **kwargs: See `Pooling` (`data_format`, `keepdims`).

    Shape:
        `(batch, ..., channels)`, or channels first; `(batch, channels)` out.

    Raises:
        ValueError: If an argument is out of bounds; at the first call, if the channels
            are no multiple of `heads`.

    Example:
        >>> import numpy as np
        >>> layer, steps = AttentionPool(), np.array([[[0.0], [8.0]]])
        >>> float(layer(steps)[0, 0])
        4.0
        >>> layer.set_weights([np.array([[1.0]])])
        >>> round(float(layer(steps)[0, 0]), 2)
        8.0

    Reference: Lee et al., Set Transformer, 2018, arXiv 1810.00825, pooling by attention
        with one seed. A product of query and keys is one vector for each head, which is
        learned as such, and the projections of values and outputs are left to the dense
        layer behind; so it is that layer's attention with the identity for both.
    """

    def __init__(self, heads=1, **kwargs):
        super().__init__(**kwargs)
        self.heads = _check.integer("AttentionPool", "heads", heads)

    def build(self, input_shape):
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        if channels % self.heads:
            expected = f"a divisor of the {channels} channels"
            _check.fail("AttentionPool", "heads", expected, self.heads)
        self.query = self.add_weight(
            shape=(channels, self.heads), initializer="zeros", name="query"
        )

    def pool(self, values, seen):
        shape = ops.shape(values)
        shares = self._shares(values, seen)
        each = ops.reshape(values, (*shape[:2], self.heads, -1))
        return ops.reshape(ops.einsum("bph,bphc->bhc", shares, each), (-1, shape[-1]))

    def _shares(self, values, seen):
        query = ops.cast(self.query, values.dtype) / math.sqrt(values.shape[-1])
        scores = ops.matmul(values, query)
        hidden = ops.full_like(scores, -float("inf"))
        scores = ops.where(seen, scores, hidden)
        # Keras's softmax warns where there is a single place.
        shares = ops.exp(scores - ops.stop_gradient(ops.max(scores, 1, keepdims=True)))
        return shares / ops.sum(shares, axis=1, keepdims=True)

    def attention(self, inputs, mask=None) -> Any:
        """Weights of the places, which sum to 1 for each head.

        Args:
            inputs: `(batch, ..., channels)`, or channels first, as the layer takes.
            mask: Boolean `(batch, ...)`, or `None`.

        Returns:
            `(batch, ..., heads)`: heads come last, whatever the format.
        """
        inputs = ops.convert_to_tensor(inputs)
        shares = self._shares(*self._places(inputs, mask))
        places = ops.shape(inputs)[2:] if self._first else ops.shape(inputs)[1:-1]
        return ops.reshape(shares, (-1, *places, self.heads))
