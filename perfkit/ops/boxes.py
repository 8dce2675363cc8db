"""Bounding boxes of shape `(batch, n, 4)`: formats, and motion by a homography."""

from perfkit._backend import ops
from perfkit.ops import affine

FORMATS = (
    "xyxy",
    "yxyx",
    "xywh",
    "center_xywh",
    "center_yxhw",
    "rel_xyxy",
    "rel_yxyx",
    "rel_xywh",
    "rel_center_xywh",
)


def to_xyxy(boxes, source, height, width):
    """Convert from any of `FORMATS` to pixel corners."""
    a, b, c, d = [boxes[..., k] for k in range(4)]
    kind = source.removeprefix("rel_")
    if kind in ("yxyx", "center_yxhw"):
        a, b, c, d = b, a, d, c
    if source.startswith("rel_"):
        a, b, c, d = a * width, b * height, c * width, d * height
    if kind == "xywh":
        c, d = a + c, b + d
    elif kind.startswith("center"):
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    return ops.stack([a, b, c, d], axis=-1)


def from_xyxy(boxes, target, height, width):
    """Convert pixel corners to any of `FORMATS`."""
    a, b, c, d = [boxes[..., k] for k in range(4)]
    kind = target.removeprefix("rel_")
    if kind == "xywh":
        c, d = c - a, d - b
    elif kind.startswith("center"):
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    if target.startswith("rel_"):
        a, b, c, d = a / width, b / height, c / width, d / height
    if kind in ("yxyx", "center_yxhw"):
        a, b, c, d = b, a, d, c
    return ops.stack([a, b, c, d], axis=-1)


def transform(boxes, matrix):
    """Axis-aligned hull of each moved box."""
    x1, y1, x2, y2 = [boxes[..., k] for k in range(4)]
    corners = ops.stack(
        [
            affine.apply(matrix, ops.stack(corner, axis=-1))
            for corner in ((x1, y1), (x2, y1), (x1, y2), (x2, y2))
        ],
        axis=-2,
    )
    return around(corners)


def outline(boxes, side):
    """Points along the edges, `side` to each, `(batch, n, 4 * side, 2)`."""
    x1, y1, x2, y2 = [boxes[..., k, None] for k in range(4)]
    share = ops.arange(side, dtype="float32") / side
    there, back = (x2 - x1) * share, (y2 - y1) * share
    level, upright = ops.zeros_like(there), ops.zeros_like(back)
    x = ops.concatenate([x1 + there, x2 + level, x2 - there, x1 + level], axis=-1)
    y = ops.concatenate([y1 + upright, y1 + back, y2 + upright, y2 - back], axis=-1)
    return ops.stack([x, y], axis=-1)


def around(points):
    """The smallest box around the points of each, `(batch, n, m, 2)`."""
    low = high = points
    while low.shape[-2] > 1:  # by halves: Keras refuses the `min` of no boxes
        half = (low.shape[-2] + 1) // 2
        low = ops.minimum(low[..., :half, :], low[..., -half:, :])
        high = ops.maximum(high[..., :half, :], high[..., -half:, :])
    return ops.concatenate([low[..., 0, :], high[..., 0, :]], axis=-1)


def clip(boxes, left, top, right, bottom):
    """Cut boxes off at a window, whose edges broadcast to `(batch, n)`."""
    x1, y1, x2, y2 = [boxes[..., k] for k in range(4)]
    return ops.stack(
        [
            ops.minimum(ops.maximum(x1, left), right),
            ops.minimum(ops.maximum(y1, top), bottom),
            ops.minimum(ops.maximum(x2, left), right),
            ops.minimum(ops.maximum(y2, top), bottom),
        ],
        axis=-1,
    )


def area(boxes):
    """Area in square pixels, `(batch, n)`; 0 for a box turned inside out."""
    width = ops.maximum(boxes[..., 2] - boxes[..., 0], 0.0)
    return width * ops.maximum(boxes[..., 3] - boxes[..., 1], 0.0)


def shrink(boxes, share):
    """Cut a share of their height and width off boxes, half at either end."""
    x1, y1, x2, y2 = [boxes[..., k] for k in range(4)]
    x, y = (x2 - x1) * (share / 2.0), (y2 - y1) * (share / 2.0)
    return ops.stack([x1 + x, y1 + y, x2 - x, y2 - y], axis=-1)


def hull(boxes, there):
    """The smallest box around those `there`, `(batch, 4)`, and if there are any."""
    # One beside them that counts for nothing: of none there is no smallest.
    far = ops.zeros((ops.shape(boxes)[0], 1, 2), "float32") + 1e9
    near = there[..., None]
    low = ops.concatenate([ops.where(near, boxes[..., :2], 1e9), far], axis=1)
    high = ops.concatenate([ops.where(near, boxes[..., 2:], -1e9), -far], axis=1)
    low, high = ops.min(low, axis=1), ops.max(high, axis=1)
    return ops.concatenate([low, high], axis=-1), ops.any(there, axis=1)
