"""Numbers as a quantized file will have them: rounded to a few levels, in float.

The gradient is that of the identity within the range, and 0 outside.
"""

import math
from typing import Any

import keras

from perfkit._backend import keras_ops as ops

_LEAST = 1e-6  # half of a range: a kernel of zeros has one too


def activations(x, low, high, bits=8) -> Any:
    """Round values to `2 ** bits` levels from `low` to `high`.

    The range is moved a little so that 0 is one of the levels.

    Args:
        x: Tensor of floats.
        low: Scalar, at most 0.
        high: Scalar, at least 0.
        bits: From 2 to 16.
    """
    low, high = ops.minimum(low, 0.0), ops.maximum(high, 0.0)
    high = ops.stop_gradient(ops.maximum(high, low + 2.0 * _LEAST))
    low = ops.stop_gradient(low)
    return keras.quantizers.fake_quant_with_min_max_vars(x, low, high, num_bits=bits)


def weights(kernel, axes, bits=8) -> Any:
    """Round weights to `2 ** bits - 1` levels, as many below 0 as above.

    Args:
        kernel: Tensor of floats.
        axes: The axes that number the output units, each of which has a range of its
            own; none for one range.
        bits: From 2 to 8.
    """
    rank = len(kernel.shape)
    axes = sorted(axis % rank for axis in axes)
    if len(axes) > 1 and all(kernel.shape[axis] == 1 for axis in axes[1:]):
        axes = axes[:1]
    if len(axes) > 1:
        return _of_pairs(kernel, axes, bits)
    if axes and axes[0] != rank - 1:  # all that Keras takes on JAX
        swapped = ops.swapaxes(kernel, axes[0], -1)
        return ops.swapaxes(weights(swapped, (-1,), bits), axes[0], -1)
    others = list(range(rank - 1)) if axes else None
    limit = ops.max(ops.abs(kernel), axis=others)
    limit = ops.stop_gradient(ops.maximum(limit, _LEAST))
    return keras.quantizers.fake_quant_with_min_max_vars(
        kernel,
        -limit,
        limit,
        num_bits=bits,
        narrow_range=True,
        axis=rank - 1 if axes else None,
    )


def _of_pairs(kernel, axes, bits):
    """Units that two axes number, as of a depthwise kernel: as one axis."""
    shape = tuple(kernel.shape)
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    order = [*rest, *axes]
    count = math.prod(shape[axis] for axis in axes)
    flat = ops.reshape(ops.transpose(kernel, order), (-1, count))
    flat = weights(flat, (-1,), bits)
    moved = ops.reshape(flat, [shape[axis] for axis in order])
    return ops.transpose(moved, [order.index(axis) for axis in range(len(shape))])
