"""Objects by their numbers: int `(batch, height, width, 1)`, 0 where there is none.

Object number `k` belongs to row `k - 1` of what is known of the objects.
"""

from perfkit._backend import dtype_of, gather_pixels, ops
from perfkit.ops import boxes


def pick(numbers, chosen):
    """Whether each pixel's object is one of `chosen`, booleans `(batch, n)`."""
    batch, n = ops.shape(chosen)
    table = ops.concatenate(
        [ops.zeros((batch, 1), "int32"), ops.cast(chosen, "int32")], 1
    )
    return gather_pixels(table[:, None, :, None], _index(numbers, n)) > 0


def sizes(numbers, n):
    """Pixels of each object, float32 `(batch, n)`."""
    return ops.sum(_counts(numbers, n, axis=1), axis=2)


def _counts(numbers, n, axis):
    """Pixels of each object in each row (`axis=1`) or column (`axis=2`).

    They are added up one by one: to compare each pixel with each number takes far
    longer.
    """
    batch, height, width, _ = ops.shape(numbers)
    line, length = [
        (ops.arange(height, dtype="int32")[None, :, None], height),
        (ops.arange(width, dtype="int32")[None, None, :], width),
    ][axis - 1]
    sample = ops.arange(batch, dtype="int32")[:, None, None]
    place = (sample * (n + 1) + _index(numbers, n)) * length + line
    place = ops.reshape(place, (-1,))
    ones = ops.ones_like(ops.cast(place, "float32"))
    counts = ops.segment_sum(ones, place, batch * (n + 1) * length)
    return ops.reshape(counts, (batch, n + 1, length))[:, 1:]


def _index(numbers, n):
    """Numbers as int32 `(batch, height, width)`, 0 for those that there are not."""
    index = ops.cast(numbers[..., 0], "int32")
    return ops.where((index > 0) & (index <= n), index, 0)


def _ends(counts):
    """Edges of the first and of the last place that is not empty, `(batch, n)`."""
    place = ops.arange(ops.shape(counts)[-1], dtype="float32")
    there = counts > 0.0
    first = ops.min(ops.where(there, place, 1e9), axis=-1)
    return first, ops.max(ops.where(there, place + 1.0, 0.0), axis=-1)


def uncover(corners, numbers, left, min_visible):
    """Boxes of the objects in `numbers` once only those pixels in `left` are seen.

    A box is cut to the pixels that are left of a partly hidden object, and shrinks to
    nothing if less is left than the share `min_visible`.
    """
    n = ops.shape(corners)[1]
    rows, columns = [_counts(left, n, axis) for axis in (1, 2)]
    before, after = sizes(numbers, n), ops.sum(rows, axis=2)
    (x1, x2), (y1, y2) = _ends(columns), _ends(rows)
    cut = boxes.clip(corners, x1, y1, x2, y2)
    seen = ops.where((after < before)[..., None], cut, corners)
    kept = (after >= before) | ((after > 0.0) & (after >= min_visible * before))
    return ops.where(kept[..., None], seen, ops.zeros_like(seen))


def renumber(numbers, by):
    """Numbers of other objects, counted on from `by`."""
    return ops.where(numbers > 0, numbers + ops.cast(by, dtype_of(numbers)), numbers)
