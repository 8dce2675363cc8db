"""Which box a point or an anchor is to find."""

from typing import Any

from perfkit._backend import keras_ops as ops
from perfkit.ops import boxes as geometry
from perfkit.ops.detection import coding, overlaps

_FAR = 1e30


def _none(boxes, places):
    """Nothing matched, `(batch, places)`: of no boxes there is no best one."""
    batch = ops.shape(boxes)[0]
    return ops.full((batch, places), -1, dtype="int32")


def _index(values, least=False):
    best = (ops.argmin if least else ops.argmax)(values, axis=-1)
    return ops.cast(best, "int32")


def fcos(points, stride_of, boxes, classes, ranges, radius=1.5) -> Any:
    """The box of each point: the smallest of those that it may find.

    A point may find a box that it lies in, near the middle, and whose farthest edge
    is as far as its map is for.

    Args:
        points: `(n, 2)`, x and y in pixels.
        stride_of: `(n,)`, of the map of each point, in pixels.
        boxes: `(batch, m, 4)`.
        classes: `(batch, m)`, -1 for padding.
        ranges: `(n, 2)`, how far the farthest edge is: at least, at most, in pixels.
        radius: How far from the middle of a box, across and down, a point may be, in
            strides; `None` for all of the box.

    Returns:
        Int32 `(batch, n)`, numbers of boxes, or -1.

    Reference: Tian et al., FCOS, 2019, arXiv 1904.01355.
    """
    points, stride_of, ranges = (
        ops.convert_to_tensor(x, "float32") for x in (points, stride_of, ranges)
    )
    boxes = ops.cast(boxes, "float32")
    if boxes.shape[1] == 0:
        return _none(boxes, points.shape[0])
    edges = coding.distances(points[:, None], boxes[:, None])  # (batch, n, m, 4)
    farthest = ops.max(edges, axis=-1)
    may = (farthest >= ranges[:, :1]) & (farthest <= ranges[:, 1:])
    if radius is None:
        may = may & (ops.min(edges, axis=-1) > 0.0)
    else:
        # Half of what the opposite distances differ by is how far the middle is.
        off = 0.5 * ops.abs(edges[..., :2] - edges[..., 2:])
        near = ops.max(off, axis=-1) < radius * stride_of[:, None]
        may = may & near & (ops.min(edges, axis=-1) > 0.0)
    may = may & (ops.cast(classes, "int32") >= 0)[:, None]
    areas = ops.where(may, geometry.area(boxes)[:, None], _FAR)
    return ops.where(ops.any(may, axis=-1), _index(areas, least=True), -1)


def by_overlap(anchors, boxes, classes, positive=0.5, negative=0.4, force=True) -> Any:
    """The box of each anchor: the one it has most in common with.

    Args:
        anchors: `(n, 4)`.
        boxes: `(batch, m, 4)`.
        classes: `(batch, m)`, -1 for padding.
        positive: Intersection over union from which an anchor has the box.
        negative: Intersection over union below which an anchor is background.
        force: Whether each box also has the anchor that it has most in common with,
            however little that is. Where boxes want the same anchor, it goes to the
            one that overlaps it most.

    Returns:
        Int32 `(batch, n)`: numbers of boxes, -1 for background, -2 for what is neither.

    Reference: Lin et al., Focal Loss for Dense Object Detection, 2017, arXiv
        1708.02002; forcing as in Ren et al., Faster R-CNN, 2015, arXiv 1506.01497.
    """
    anchors = ops.convert_to_tensor(anchors, "float32")
    boxes = ops.cast(boxes, "float32")
    if boxes.shape[1] == 0:
        return _none(boxes, anchors.shape[0])
    there = (ops.cast(classes, "int32") >= 0)[:, None]
    overlap = ops.where(there, overlaps.iou(anchors, boxes), -1.0)  # (batch, n, m)
    most, best = ops.max(overlap, axis=-1), _index(overlap)
    neither = ops.where(most < negative, -1, -2)
    matched = ops.where(most >= positive, best, neither)
    if not force:
        return matched
    wanted = ops.max(overlap, axis=1, keepdims=True)
    first = ops.argmax(overlap, axis=1)[:, None]  # (batch, 1, m)
    number = ops.arange(anchors.shape[0], dtype="int32")[:, None]
    wants = (number == ops.cast(first, "int32")) & (wanted > 0.0)
    forced = ops.where(wants, overlap, -1.0)
    return ops.where(ops.any(wants, axis=-1), _index(forced), matched)
