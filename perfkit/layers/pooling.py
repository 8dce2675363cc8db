"""The family of layers that make one vector of all places."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


class Pooling(Configured, keras.layers.Layer):
    """Make one vector of the features at all places: steps, pixels or frames.

    Places that a mask hides do not count. A sample of which everything is hidden is
    taken as if nothing were. Sums are made in float32.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        keepdims: Whether the axes of the places stay, with one place each.
        **kwargs: See `keras.layers.Layer`.
    """

    def __init__(self, *, data_format=None, keepdims=False, **kwargs):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.data_format = _check.data_format(owner, data_format)
        self.keepdims = _check.boolean(owner, "keepdims", keepdims)
        self.input_spec = keras.layers.InputSpec(min_ndim=3)
        self.supports_masking = True

    def pool(self, values, seen) -> Any:
        """Operation: one vector for each sample.

        Args:
            values: `(batch, places, channels)`, float32 or float64; 0 where hidden.
            seen: Boolean `(batch, places, 1)`: which places count. At least one does.

        Returns:
            `(batch, channels_out)`.
        """
        raise NotImplementedError

    def channels_out(self, channels) -> int:
        """Return how many channels `pool` makes of so many."""
        return channels

    def call(self, inputs, mask=None):
        pooled = self.pool(*self._places(inputs, mask))
        if self.keepdims:
            ones = (1,) * (len(inputs.shape) - 2)
            shape = (*ones, pooled.shape[-1])
            if self._first:
                shape = (pooled.shape[-1], *ones)
            pooled = ops.reshape(pooled, (-1, *shape))
        return ops.cast(pooled, self.compute_dtype)

    @property
    def _first(self):
        return self.data_format == "channels_first"

    def _places(self, inputs, mask):
        """Values, and which places are seen, in a row."""
        exact = "float64" if self.compute_dtype == "float64" else "float32"
        values = ops.cast(inputs, exact)
        if self._first:
            values = ops.moveaxis(values, 1, -1)
        shape = ops.shape(values)
        seen = ops.ones((*shape[:-1], 1), dtype="bool")
        if mask is not None:
            mask = ops.cast(mask, "bool")
            while len(mask.shape) < len(shape):  # one of frames is for all their pixels
                mask = ops.expand_dims(mask, -1)
            seen = ops.logical_and(seen, mask)
        seen = ops.reshape(seen, (shape[0], -1, 1))
        nothing = ops.logical_not(ops.any(seen, axis=1, keepdims=True))
        seen = ops.logical_or(seen, nothing)
        values = ops.reshape(values, (shape[0], -1, values.shape[-1]))
        return ops.where(seen, values, 0.0), seen

    def compute_mask(self, inputs, previous_mask=None):  # noqa: ARG002  Keras fixes them
        return None

    def compute_output_shape(self, input_shape):
        batch, *places = input_shape
        channels = places.pop(0 if self._first else -1)
        ones = (1,) * len(places) if self.keepdims else ()
        out = (self.channels_out(channels),)
        return (batch, *out, *ones) if self._first else (batch, *ones, *out)


def masked_maximum(values, seen) -> Any:
    """Maxima over the places that count; see `Pooling.pool`."""
    hidden = ops.full_like(values, -float("inf"))
    best = ops.argmax(ops.where(seen, values, hidden), axis=1, keepdims=True)
    # TensorFlow's gradient of a maximum looks for the place whose value equals it. A
    # program of XLA may make that value twice, with another rounding: none does, and
    # the gradient is not a number.
    places = ops.reshape(ops.arange(ops.shape(values)[1], dtype=best.dtype), (1, -1, 1))
    return ops.sum(ops.where(places == best, values, 0.0), axis=1)
