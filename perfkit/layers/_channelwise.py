"""Layers with weights for each channel, whatever the places are."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


class Channelwise(Configured, keras.layers.Layer):
    """Change features by weights for each channel.

    Args:
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        **kwargs: See `keras.layers.Layer`.
    """

    def __init__(self, *, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.data_format = _check.data_format(type(self).__name__, data_format)

    def weight(self, input_shape, name, initializer) -> Any:
        """Make a weight for each channel."""
        axis = self._axis(len(input_shape))
        return self.add_weight(
            shape=(input_shape[axis],), initializer=initializer, name=name
        )

    def spread(self, weight, like) -> Any:
        """A weight for each channel, of the rank and dtype of features."""
        shape = [1] * len(like.shape)
        shape[self._axis(len(shape))] = -1
        return ops.cast(ops.reshape(weight, shape), like.dtype)

    def axes(self, features) -> tuple[int, ...]:
        """Axes of the places."""
        rank = len(features.shape)
        return tuple(k for k in range(1, rank) if k != self._axis(rank))

    def _axis(self, rank):
        return 1 if self.data_format == "channels_first" else rank - 1

    def compute_output_shape(self, input_shape):
        return input_shape
