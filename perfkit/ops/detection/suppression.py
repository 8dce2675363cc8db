"""One detection for each object: what overlaps a surer one is left out."""

from typing import Any

from perfkit._backend import keras_ops as ops
from perfkit.ops.detection import overlaps

_TILE = 128  # candidates that are looked at together
_NOTHING = -1e30


def suppressed(
    boxes, scores, iou=0.5, score=0.05, detections=100, candidates=1000
) -> dict[str, Any]:
    """The surest detections, none of which overlaps a surer one of its class.

    Greedy and exact, for each class by itself; of equal scores the one that comes
    first is surer. Shapes are fixed. It takes as long as there are candidates above
    `score`, in tiles of 128, before there are enough detections.

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
    sure, index = surest(flat, count)
    tile = min(_TILE, count)
    tiles = -(-count // tile)
    more = [(0, 0), (0, tiles * tile - count)]
    sure = ops.pad(sure, more, constant_values=_NOTHING)
    index = ops.pad(index, more)
    boxes = _picked(boxes, index // classes)
    candidates = [
        ops.reshape(boxes, (-1, tiles, tile, 4)),
        ops.reshape(index % classes, (-1, tiles, tile)),
        ops.reshape(sure, (-1, tiles, tile)),
    ]
    found, kinds, confidence = _greedy(candidates, iou, score, detections)
    there = kinds >= 0
    return {
        "boxes": ops.where(there[..., None], found, 0.0),
        "classes": kinds,
        "confidence": ops.where(there, confidence, 0.0),
    }


def surest(scores, count) -> Any:
    """The largest of each row, and where they are, as `top_k` has them.

    Of a long row first the blocks are found that have the largest maxima: as many as
    are wanted hold them all. So little is left to sort, which XLA is slow at.
    """
    length = scores.shape[1]
    block = int((length / count) ** 0.5)
    if block < 4:
        sure, index = ops.top_k(scores, count)
        return sure, ops.cast(index, "int32")
    blocks = -(-length // block)
    more = [(0, 0), (0, blocks * block - length)]
    scores = ops.pad(scores, more, constant_values=_NOTHING)
    scores = ops.reshape(scores, (-1, blocks, block))
    _, best = ops.top_k(ops.max(scores, axis=-1), count)
    best = ops.sort(ops.cast(best, "int32"), axis=-1)  # of equal scores the first
    near = ops.reshape(_picked(scores, best), (-1, count * block))
    sure, index = ops.top_k(near, count)
    index = ops.cast(index, "int32")
    first = ops.take_along_axis(best, index // block, axis=1)
    return sure, first * block + index % block


def _picked(x, index):
    """Entries along the second axis of some of three axes."""
    return ops.take_along_axis(x, index[..., None], axis=1)


def _greedy(candidates, iou, score, detections):
    """Go through tiles of candidates `(batch, tiles, tile, ...)`, surest first."""
    boxes, kinds, sure = candidates
    tiles = boxes.shape[1]

    def at(tile):
        return [ops.take(x, tile, axis=1) for x in candidates]

    def goes_on(tile, found, kept, confidence):  # noqa: ARG001
        first = ops.take(sure[:, :, 0], ops.minimum(tile, tiles - 1), axis=1)
        room = kept[:, -1] < 0
        return (tile < tiles) & ops.any(room & (first > score))

    def step(tile, found, kept, confidence):
        box, kind, value = at(tile)
        alike = overlaps.iou(found, box) > iou
        alike = alike & (kept[:, :, None] == kind[:, None])
        free = (value > score) & ~ops.any(alike, axis=1)
        alike = (overlaps.iou(box, box) > iou) & (kind[:, :, None] == kind[:, None])
        order = ops.arange(box.shape[1], dtype="int32")
        taken = _kept(free, alike & (order[:, None] < order))
        kind = ops.where(taken, kind, -1)
        state = _first(
            ops.concatenate([found, box], axis=1),
            ops.concatenate([kept, kind], axis=1),
            ops.concatenate([confidence, value], axis=1),
            detections,
        )
        return (tile + 1, *state)

    start = (
        ops.zeros((), dtype="int32"),
        ops.zeros_like(boxes[:, 0, :1]) + ops.zeros((1, detections, 1)),
        ops.zeros_like(kinds[:, 0, :1]) + ops.full((1, detections), -1, "int32"),
        ops.zeros_like(sure[:, 0, :1]) + ops.zeros((1, detections)),
    )
    return ops.while_loop(goes_on, step, start)[1:]


def _kept(free, alike):
    """Which are kept: those `free` that no kept one before them is like.

    A guess for all at once is made better until it stays. Each time at least one more
    of the first ones is right for good.
    """

    def better(kept):
        return free & ~ops.any(kept[:, :, None] & alike, axis=1)

    def changes(kept, before):
        return ops.any(kept != before)

    def step(kept, before):  # noqa: ARG001
        return better(kept), kept

    kept, _ = ops.while_loop(changes, step, (better(free), free))
    return kept


def _first(boxes, kinds, sure, detections):
    """The first `detections` of those that have a class, then others."""
    count = kinds.shape[1]
    order = ops.arange(count, dtype="int32")
    _, index = ops.top_k(ops.where(kinds >= 0, count - order, -order), detections)
    index = ops.cast(index, "int32")
    return (
        _picked(boxes, index),
        ops.take_along_axis(kinds, index, axis=1),
        ops.take_along_axis(sure, index, axis=1),
    )
