"""Layers with strides, and the same without."""

from collections.abc import Sequence
from typing import Any

import keras

_layers = keras.layers
_CONVOLUTIONS = (_layers.Conv2D, _layers.DepthwiseConv2D, _layers.SeparableConv2D)


def is_strided(layer) -> bool:
    """Whether it is a convolution, or a maximum, of images that skips places."""
    kinds = (*_CONVOLUTIONS, _layers.MaxPooling2D)
    return isinstance(layer, kinds) and max(layer.strides) > 1


def is_convolution(layer) -> bool:
    """Whether it is a convolution, rather than a maximum."""
    return isinstance(layer, _CONVOLUTIONS)


def window(layer) -> tuple[int, int]:
    """Places that it sees, along rows and columns."""
    sizes = layer.kernel_size if is_convolution(layer) else layer.pool_size
    return tuple(sizes)


def places(shape: Sequence[Any], form: str) -> tuple[Any, Any]:
    """Rows and columns of a tensor, of which each may be None."""
    return tuple(shape[2:4] if form == "channels_first" else shape[1:3])


def first_kept(layer, sizes: Sequence[int | None]) -> tuple[int, ...]:
    """Return which row and which column is the first that strides keep.

    Of those that the layer makes without strides. With the padding `"same"`, both pad
    otherwise in front, where the size is one that the strides divide.

    Args:
        layer: A layer for which `is_strided` holds.
        sizes: Rows and columns that it is given; None where they are unknown.
    """
    if layer.padding != "same":
        return 0, 0
    steps = zip(window(layer), layer.strides, sizes, strict=True)
    return tuple(0 if n is None else _first(k, step, n) for k, step, n in steps)


def _first(size, step, given) -> int:
    kept = -(-given // step)
    padded = max((kept - 1) * step + size - given, 0)
    return (size - 1) // 2 - padded // 2
