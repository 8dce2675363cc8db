"""Feature maps: their channels, and their sizes."""

from typing import Any

import keras

from perfkit._backend import ops
from perfkit.ops import modalities


def channel_axis(data_format):
    """Axis of the channels; vectors have them last anyway."""
    return 1 if data_format == "channels_first" else -1


def per_channel(vectors, x, data_format):
    """Vectors `(batch, channels)` as they multiply with `x`."""
    ones = (1,) * (len(x.shape) - 2)
    channels = vectors.shape[-1]
    first = data_format == "channels_first"
    shape = (-1, channels, *ones) if first else (-1, *ones, channels)
    return ops.reshape(vectors, shape)


def averages(x, data_format):
    """Channels averaged over all places, `(batch, channels)`, at least float32."""
    rank = len(x.shape)
    first = data_format == "channels_first"
    places = range(2, rank) if first else range(1, rank - 1)
    x = modalities.wide(x)
    return ops.mean(x, axis=tuple(places)) if rank > 2 else x


def size_of(x, data_format):
    """Height and width of maps."""
    shape = ops.shape(x)
    return shape[2:] if data_format == "channels_first" else shape[1:3]


def resized(x, size, interpolation, data_format) -> Any:
    """Maps of another height and width, and themselves if they have these."""
    if size == tuple(size_of(x, data_format)):
        return x
    return keras.ops.image.resize(
        x, size, interpolation=interpolation, data_format=data_format
    )


def resized_shape(shape, size, data_format):
    """Shape of maps after a change of height and width."""
    if data_format == "channels_first":
        return (*shape[:2], *size)
    return (shape[0], *size, shape[-1])
