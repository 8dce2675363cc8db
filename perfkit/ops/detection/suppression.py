"""One detection for each object: what overlaps a surer one is left out."""

from typing import Any

from perfkit._backend import ops
from perfkit.ops.detection import overlaps


def suppressed(
    boxes, scores, iou=0.5, score=0.05, detections=100, candidates=1000
) -> dict[str, Any]:
    """The surest detections, none of which overlaps a surer one of its class.

    Greedy and exact, for each class by itself; of equal scores the one that comes
    first is surer. Shapes are fixed.

    Args:
        boxes: `(batch, n, 4)`, the same for all classes.
        scores: `(batch, n, classes)`.
        iou: Intersection over union above which two are the same object.
        score: Scores above this one count.
        detections: How many there are at most in an image.
        candidates: How many are looked at in an image, the surest of all classes.

    Returns:
        `{"boxes": (batch, detections, 4), "classes": (batch, detections),
        "confidence": (batch, detections)}`, surest first. Padding has the class -1 and
        zeros.
    """
    boxes, scores = ops.cast(boxes, "float32"), ops.cast(scores, "float32")
    places, classes = scores.shape[1:]
    flat = ops.reshape(scores, (-1, places * classes))
    count = min(candidates, places * classes)
    sure, index = ops.top_k(flat, count)
    index = ops.cast(index, "int32")
    kind = index % classes
    boxes = ops.take_along_axis(boxes, (index // classes)[..., None], axis=1)
    alike = (overlaps.iou(boxes, boxes) > iou) & (kind[:, :, None] == kind[:, None])
    order = ops.arange(count, dtype="int32")
    alike = alike & (order[:, None] < order)  # the row is surer than the column
    kept = _kept(sure > score, ops.cast(alike, "float32"))
    return _first(kept, boxes, kind, sure, detections)


def _kept(there, alike):
    """Which are kept: those `there` that no kept one before them is like.

    A guess for all at once is made better until it stays. Each time at least one more
    of the first ones is right for good.
    """

    def better(kept):
        beaten = ops.matmul(ops.cast(kept, "float32")[:, None], alike)[:, 0]
        return there & (beaten < 0.5)

    def changes(kept, before):
        return ops.any(kept != before)

    def step(kept, before):  # noqa: ARG001
        return better(kept), kept

    kept, _ = ops.while_loop(changes, step, (better(there), there))
    return kept


def _first(kept, boxes, kind, sure, detections):
    """The first `detections` that are kept, and padding."""
    count = kept.shape[1]
    ranks = ops.where(kept, count - ops.arange(count, dtype="int32"), 0)
    ranks, index = ops.top_k(ranks, min(detections, count))
    index = ops.cast(index, "int32")
    there = ranks > 0
    found = {
        "boxes": ops.where(
            there[..., None], ops.take_along_axis(boxes, index[..., None], axis=1), 0.0
        ),
        "classes": ops.where(there, ops.take_along_axis(kind, index, axis=1), -1),
        "confidence": ops.where(there, ops.take_along_axis(sure, index, axis=1), 0.0),
    }
    short = detections - found["classes"].shape[1]
    if not short:
        return found
    return {
        name: ops.pad(
            x,
            [(0, 0), (0, short)] + [(0, 0)] * (len(x.shape) - 2),
            constant_values=-1 if name == "classes" else 0,
        )
        for name, x in found.items()
    }
