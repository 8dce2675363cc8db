"""What is done to gradients of kernels and of other variables."""

from typing import Any

from perfkit._backend import keras_ops as ops
from perfkit.ops import kernels


def centralized(gradient, units):
    """A gradient without the mean of each output unit; vectors stay as they are.

    Args:
        gradient: Tensor of any rank.
        units: Its axes that number the units.
    """
    rank = len(gradient.shape)
    if rank < 2:
        return gradient
    numbered = {axis % rank for axis in units}
    others = [axis for axis in range(rank) if axis not in numbered]
    return gradient - ops.mean(gradient, axis=others, keepdims=True)


def unit_norms(x, units) -> Any:
    """Norm of each output unit, of a vector as a whole, to broadcast."""
    return kernels.norms(kernels.in_float32(x), units if len(x.shape) > 1 else ())


def clipped_to(weights, gradient, units, clipping, epsilon):
    """A gradient whose units are no larger than a share of those of `weights`.

    Args:
        weights: Tensor of any rank.
        gradient: Tensor of the same shape.
        units: Axes that number the units.
        clipping: The share.
        epsilon: Least norm that weights count as.
    """
    largest = clipping * ops.maximum(unit_norms(weights, units), epsilon)
    norms = unit_norms(gradient, units)
    factor = ops.minimum(largest / ops.maximum(norms, 1e-6), 1.0)
    return gradient * ops.cast(factor, gradient.dtype)


def global_norm(gradients) -> Any:
    """Norm of all gradients together, float32."""
    squares = [ops.sum(ops.square(ops.cast(g, "float32"))) for g in gradients]
    return ops.sqrt(sum(squares))
