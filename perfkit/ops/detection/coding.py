"""What heads predict of a box: shifts of an anchor, or distances from a point."""

import math
from typing import Any

from perfkit._backend import keras_ops as ops

_EPSILON = 1e-7
_MOST = math.log(1000.0 / 16.0)  # how much larger than its anchor a box is, at most


def _centers(boxes):
    sizes = boxes[..., 2:] - boxes[..., :2]
    return boxes[..., :2] + 0.5 * sizes, sizes


def encode(boxes, anchors) -> Any:
    """Boxes as seen from anchors: `(..., 4)` of shifts and logarithms of sizes.

    Shifts of the centre, x and y, are in sides of the anchor; then there are the
    logarithms of the width and the height, in those of the anchor.

    Reference: Girshick et al., Rich Feature Hierarchies for Accurate Object Detection,
        2013, arXiv 1311.2524.
    """
    centers, sizes = _centers(boxes)
    homes, sides = _centers(anchors)
    logs = ops.log(ops.maximum(sizes, _EPSILON) / sides)
    return ops.concatenate([(centers - homes) / sides, logs], axis=-1)


def decode(deltas, anchors) -> Any:
    """Boxes of what `encode` makes. A side is at most 62.5 times the anchor's."""
    homes, sides = _centers(anchors)
    centers = homes + deltas[..., :2] * sides
    half = 0.5 * sides * ops.exp(ops.minimum(deltas[..., 2:], _MOST))
    return ops.concatenate([centers - half, centers + half], axis=-1)


def _each(stride):
    """A stride for all, or `(n,)` for each point, to multiply `(..., n, k)` by."""
    stride = ops.convert_to_tensor(stride, "float32")
    return stride[..., None] if len(stride.shape) else stride


def distances(points, boxes, stride=1.0) -> Any:
    """Distances of points from the left, top, right and bottom edge of boxes.

    Args:
        points: `(n, 2)`, x and y in pixels.
        boxes: `(..., n, 4)`, in pixels.
        stride: Pixels that count as 1, a number or `(n,)`.

    Returns:
        `(..., n, 4)`; some are below 0 where a point is outside of its box.
    """
    low, high = points - boxes[..., :2], boxes[..., 2:] - points
    return ops.concatenate([low, high], axis=-1) / _each(stride)


def from_distances(points, distances, stride=1.0) -> Any:
    """Boxes in pixels, of what `distances` makes."""
    pixels = distances * _each(stride)
    low, high = points - pixels[..., :2], points + pixels[..., 2:]
    return ops.concatenate([low, high], axis=-1)
