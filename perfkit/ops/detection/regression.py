"""What heads learn of boxes, beside their overlap."""

from typing import Any

from perfkit._backend import keras_ops as ops

_LEAST = 1e-6


def centerness(distances) -> Any:
    """How near the middle of its box a point is: 1 in the middle, 0 at the edges.

    Args:
        distances: `(..., 4)` from the left, top, right and bottom edge. 0 for a point
            outside of its box.

    Returns:
        `(...)`, the root of the product of the ratios of opposite distances.

    Reference: Tian et al., FCOS, 2019, arXiv 1904.01355.
    """
    low, high = distances[..., :2], distances[..., 2:]
    ratios = ops.maximum(ops.minimum(low, high), 0.0) / ops.maximum(
        ops.maximum(low, high), _LEAST
    )
    return ops.sqrt(ratios[..., 0] * ratios[..., 1])


def smooth_l1(differences, beta=1.0 / 9.0) -> Any:
    """Absolute values, with a parabola in place of the corner below `beta`.

    Reference: Girshick, Fast R-CNN, 2015, arXiv 1504.08083, where `beta` is 1.
    """
    sizes = ops.abs(differences)
    return ops.where(
        sizes < beta, 0.5 * ops.square(differences) / beta, sizes - 0.5 * beta
    )


def matched(values, index) -> Any:
    """The box of each place, or the class, or the like.

    Args:
        values: `(batch, m, k)`, m at least 1.
        index: Int32 `(batch, n)`; the first one is taken for what is below 0.

    Returns:
        `(batch, n, k)`.
    """
    return ops.take_along_axis(values, ops.maximum(index, 0)[..., None], axis=1)
