"""Which detections found an object, and the precision at each recall; in NumPy.

Numbers are float64 and the order of everything is that of COCO's own evaluation, so
that what it counts is counted here. Lin et al., Microsoft COCO, 2014, arXiv 1405.0312.
"""

import numpy as np

RECALLS = np.linspace(0.0, 1.0, 101)


def areas(boxes):
    """Areas of boxes `xyxy` `(n, 4)`."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def overlaps(found, boxes, crowd):
    """Intersection over union of detections `(d, 4)` with objects `(g, 4)`.

    Where `crowd`, `(g,)`, over the area of the detection.
    """
    low = np.maximum(found[:, None, :2], boxes[:, :2])
    high = np.minimum(found[:, None, 2:], boxes[:, 2:])
    both = np.prod(np.maximum(high - low, 0.0), axis=-1)
    own = areas(found)[:, None]
    union = np.where(crowd, own, own + areas(boxes) - both)
    return np.divide(both, union, out=np.zeros_like(both), where=both > 0.0)


def matches(overlap, crowd, ignored, ious):
    """Give each detection, surest first, the free object that it overlaps most.

    Args:
        overlap: `(d, g)`, from `overlaps`.
        crowd: `(g,)`, what any number of detections can have.
        ignored: `(ranges, g)`, what is had only where nothing else is left, for each
            range of areas.
        ious: `(t,)`, the least overlap of a match.

    Returns:
        Two of `(ranges, t, d)`: whether there is a match, and whether it is with one of
        `ignored`.
    """
    shape = len(ignored), len(ious)
    matched = np.zeros((*shape, len(overlap)), bool)
    for_nothing = np.zeros_like(matched)
    if not overlap.size:
        return matched, for_nothing
    least = np.minimum(ious, 1.0 - 1e-10)
    taken = np.zeros((*shape, overlap.shape[1]), bool)
    ranges, thresholds = np.ogrid[: shape[0], : shape[1]]
    counted = ~ignored[:, None]
    for number in np.flatnonzero(overlap.max(axis=1) >= least.min()):
        row = overlap[number]
        may = (row >= least[:, None]) & ~taken
        wanted = may & counted
        wanted = np.where(wanted.any(axis=-1, keepdims=True), wanted, may)
        # Of equal ones the last.
        values = np.where(wanted, row, -1.0)[..., ::-1]
        best = overlap.shape[1] - 1 - values.argmax(axis=-1)
        some = wanted.any(axis=-1)
        matched[..., number] = some
        for_nothing[..., number] = some & ignored[ranges, best]
        taken[ranges, thresholds, best] |= some & ~crowd[best]
    return matched, for_nothing


def curve(matched, ignored, objects):
    """Precision at each of `RECALLS`, and the recall of all.

    Args:
        matched: `(t, n)`, which detections, surest first, have a match.
        ignored: `(t, n)`, which ones do not count.
        objects: How many there are to be found, at least 1.

    Returns:
        `(t, 101)` and `(t,)`.
    """
    right = np.cumsum(matched & ~ignored, axis=1, dtype=float)
    wrong = np.cumsum(~matched & ~ignored, axis=1, dtype=float)
    precision = np.zeros((len(matched), len(RECALLS)))
    if not matched.shape[1]:
        return precision, np.zeros(len(matched))
    recall = right / objects
    each = right / (right + wrong + np.spacing(1.0))
    best = np.maximum.accumulate(each[:, ::-1], axis=1)[:, ::-1]
    for row, (reached, values) in enumerate(zip(recall, best, strict=True)):
        places = np.searchsorted(reached, RECALLS, side="left")
        inside = places < len(values)
        precision[row, inside] = values[places[inside]]
    return precision, recall[:, -1]
