"""How much boxes `xyxy` have in common, left and top edges first."""

import math
from typing import Any

import keras

from perfkit._backend import keras_ops as ops

_EPSILON = 1e-7
_SHAPE = 4.0 / math.pi**2


def iou(boxes_1, boxes_2) -> Any:
    """Intersection over union of each box with each other one.

    Args:
        boxes_1: `(batch, n, 4)`, or `(n, 4)` for the same ones in each sample.
        boxes_2: `(batch, m, 4)`, or `(m, 4)`.

    Returns:
        `(batch, n, m)`, within [0, 1]; 0 for boxes without an area.
    """
    return keras.utils.bounding_boxes.compute_iou(boxes_1, boxes_2, "xyxy")


def _edges(boxes):
    return [boxes[..., k] for k in range(4)]


def _sides(boxes):
    x1, y1, x2, y2 = _edges(boxes)
    return ops.maximum(x2 - x1, 0.0), ops.maximum(y2 - y1, 0.0)


def _shared(boxes_1, boxes_2):
    """Intersection over union, union, and the sides of the box around both."""
    a1, b1, a2, b2 = _edges(boxes_1)
    c1, d1, c2, d2 = _edges(boxes_2)
    width = ops.maximum(ops.minimum(a2, c2) - ops.maximum(a1, c1), 0.0)
    height = ops.maximum(ops.minimum(b2, d2) - ops.maximum(b1, d1), 0.0)
    (w1, h1), (w2, h2) = _sides(boxes_1), _sides(boxes_2)
    both = width * height
    union = w1 * h1 + w2 * h2 - both
    across = ops.maximum(a2, c2) - ops.minimum(a1, c1)
    down = ops.maximum(b2, d2) - ops.minimum(b1, d1)
    return both / (union + _EPSILON), union, across, down


def aligned(boxes_1, boxes_2) -> Any:
    """Intersection over union of boxes `(..., 4)` with those at the same place."""
    return _shared(boxes_1, boxes_2)[0]


def generalized(boxes_1, boxes_2) -> Any:
    """Generalized intersection over union, place by place, within [-1, 1].

    From it the share of the box around both that neither fills is taken off, so that
    boxes that do not meet have a slope, too.

    Reference: Rezatofighi et al., Generalized Intersection over Union, 2019, arXiv
        1902.09630.
    """
    overlap, union, across, down = _shared(boxes_1, boxes_2)
    around = across * down
    return overlap - (around - union) / (around + _EPSILON)


def complete(boxes_1, boxes_2) -> Any:
    """Complete intersection over union, place by place.

    From it the squared distance of the centres, in diagonals of the box around both, is
    taken off, and what the ratios of the sides differ by. Keras's `compute_ciou` has
    the same value, but a slope through the weight of the ratios, which the paper holds
    fixed.

    Reference: Zheng et al., Distance-IoU Loss, 2019, arXiv 1911.08287.
    """
    overlap, _, across, down = _shared(boxes_1, boxes_2)
    a1, b1, a2, b2 = _edges(boxes_1)
    c1, d1, c2, d2 = _edges(boxes_2)
    away = (ops.square(a1 + a2 - c1 - c2) + ops.square(b1 + b2 - d1 - d2)) / 4.0
    diagonal = ops.square(across) + ops.square(down) + _EPSILON
    (w1, h1), (w2, h2) = _sides(boxes_1), _sides(boxes_2)
    angles = ops.arctan(w1 / (h1 + _EPSILON)) - ops.arctan(w2 / (h2 + _EPSILON))
    ratios = _SHAPE * ops.square(angles)
    weight = ops.stop_gradient(ratios / (1.0 - overlap + ratios + _EPSILON))
    return overlap - away / diagonal - weight * ratios
