"""Pooling by attention that knows where places are."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.attention._parts import part
from perfkit.layers.pooling import Pooling
from perfkit.ops import attention


@keras.saving.register_keras_serializable(package="perfkit")
class AttentionPool2D(Pooling):
    """Pool the places by attention that their mean pays them, with learned positions.

    It has `4 * channels**2` weights and one position for each place, so images are of
    one size. `AttentionPool` is small, and knows no positions.

    Args:
        heads: Parts of the channels that attend by themselves. At least 1; the channels
            are a multiple of it.
        units: Channels out, or `None` for as many as come in. At least 1.
        **kwargs: See `Pooling` (`data_format`, `keepdims`).

    Shape:
        `(batch, height, width, channels)`, or channels first; `(batch, units)` out.

    Raises:
        ValueError: If an argument is out of bounds; at the first call, if the channels
            are no multiple of `heads`, or if height or width is unknown.

    Example:
        >>> import numpy as np
        >>> tuple(AttentionPool2D(2, units=3)(np.ones((1, 4, 4, 8))).shape)
        (1, 3)

    Reference: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, 2021, arXiv 2103.00020. Without the bias of keys, which the softmax
        takes out: weights of theirs fit without it. Positions are not resampled for
        other sizes.
    """

    def __init__(self, heads=8, *, units=None, **kwargs):
        super().__init__(**kwargs)
        self.heads = _check.integer("AttentionPool2D", "heads", heads)
        if units is not None:
            units = _check.integer("AttentionPool2D", "units", units)
        self.units = units
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        sizes = list(input_shape[1:])
        channels = sizes.pop(0 if self._first else -1)
        if channels % self.heads:
            expected = f"a divisor of the {channels} channels"
            _check.fail("AttentionPool2D", "heads", expected, self.heads)
        if None in sizes:
            expected = "of known height and width"
            _check.fail("AttentionPool2D", "inputs", expected, tuple(input_shape))
        self.positions = self.add_weight(
            shape=(1 + math.prod(sizes), channels),
            initializer=keras.initializers.TruncatedNormal(stddev=channels**-0.5),
            name="positions",
        )

        def dense(name, units=channels, **arguments):
            shape = (None, channels)
            return part(
                self, keras.layers.Dense, shape, units=units, name=name, **arguments
            )

        self.query = dense("query")
        self.key = dense("key", use_bias=False)
        self.value = dense("value")
        self.project = dense("project", self.units or channels)
        self.input_spec = keras.layers.InputSpec(shape=(None, *input_shape[1:]))

    def channels_out(self, channels):
        return self.units or channels

    def pool(self, values, seen):
        count = ops.sum(ops.cast(seen, values.dtype), axis=1, keepdims=True)
        mean = ops.sum(values, axis=1, keepdims=True) / count
        tokens = ops.concatenate([mean, values], axis=1)
        tokens = tokens + ops.cast(self.positions, values.dtype)
        seen = ops.concatenate([ops.ones_like(seen[:, :1]), seen], axis=1)
        query = self._in_heads(self.query(tokens[:, :1]))
        key, value = map(self._in_heads, (self.key(tokens), self.value(tokens)))
        scale = 1 / math.sqrt(query.shape[-1])
        seen = ops.swapaxes(seen, 1, 2)[:, None]  # for every head and the one query
        pooled = attention.dot_product(query, key, value, scale, seen)
        pooled = ops.reshape(ops.swapaxes(pooled, 1, 2), (-1, 1, values.shape[-1]))
        return self.project(pooled)[:, 0]

    def _in_heads(self, tokens):
        """`(batch, heads, tokens, channels of a head)`."""
        shape = (*ops.shape(tokens)[:2], self.heads, tokens.shape[-1] // self.heads)
        return ops.swapaxes(ops.reshape(tokens, shape), 1, 2)
