"""Which weights stay: masks of NumPy arrays, with exactly as many zeros as asked for.

A mask is true where a weight stays. Scores say how much a weight is worth; of equal
ones the earlier stays.
"""

import math

import numpy as np

# Scores that fit into the cache of a processor with what is made of them.
_CACHED = 1 << 18


def cubic(share, initial, final):
    """Return the sparsity after a share of the way, which rises fast at first.

    Args:
        share: Within [0, 1].
        initial: Sparsity at 0.
        final: Sparsity at 1.

    Example:
        >>> cubic(0.5, 0.0, 1.0)
        0.875
    """
    return final + (initial - final) * (1.0 - share) ** 3


def staying(size, sparsity) -> int:
    """Return how many of `size` things stay, at least one."""
    return max(round(size * (1.0 - sparsity)), 1)


def largest(scores, count):
    """Return the mask of the `count` largest scores.

    No sort: one partial ordering, then one comparison.

    Args:
        scores: Array of any shape, without NaN.
        count: How many stay, from 0 to the size.

    Example:
        >>> largest(np.array([3.0, 1.0, 1.0, 1.0]), 2).tolist()
        [True, True, False, False]
    """
    zeros = scores.size - count
    if zeros <= 0:
        return np.ones(scores.shape, bool)
    if count <= 0:
        return np.zeros(scores.shape, bool)
    flat = scores.reshape(-1)
    threshold = _smallest(flat, zeros)
    mask = flat > threshold
    spare = count - np.count_nonzero(mask)
    if spare:
        mask[np.flatnonzero(flat == threshold)[:spare]] = True
    return mask.reshape(scores.shape)


def _smallest(flat, count):
    """Return the last of the `count` smallest numbers.

    A partial ordering takes a hundred times as long where most numbers are equal, as
    those of weights that were pruned before.
    """
    least = flat.min()
    others = flat > least
    equal = flat.size - np.count_nonzero(others)
    if equal >= count:
        return least
    if 4 * equal > flat.size:
        flat, count = np.compress(others, flat), count - equal
    return np.partition(flat, count - 1)[count - 1]


def largest_of_all(scores, count):
    """Return the masks of the `count` largest scores of several arrays together.

    The largest of each array stays whatever the others hold: a layer without any
    weight would cut the network.

    Args:
        scores: Arrays of any shapes, without NaN.
        count: How many stay of all; no fewer stay than there are arrays.
    """
    flat = np.concatenate([each.reshape(-1) for each in scores])
    ends = np.cumsum([each.size for each in scores])
    for end, each in zip(ends, scores, strict=True):
        flat[end - each.size + each.argmax()] = _bounds(flat.dtype)[1]
    masks = np.split(largest(flat, max(count, len(scores))), ends[:-1])
    return [mask.reshape(each.shape) for mask, each in zip(masks, scores, strict=True)]


def largest_of_groups(scores, count, size, axis):
    """Return the mask of the `count` largest of each `size` scores along an axis.

    A last group that is smaller is filled up with what never stays.

    Args:
        scores: Array of any shape, without NaN.
        count: How many of a group stay.
        size: How many scores in a row are a group.
        axis: Along which they lie.

    Example:
        >>> largest_of_groups(np.array([4, 1, 2, 3, 9, 8, 7]), 2, 4, 0).astype(int)
        array([1, 0, 0, 1, 1, 1, 0])
    """
    axis %= scores.ndim
    length = scores.shape[axis]
    missing = -length % size
    if missing:
        widths = [(0, missing if k == axis else 0) for k in range(scores.ndim)]
        least, _ = _bounds(scores.dtype)
        scores = np.pad(scores, widths, constant_values=least)
    shape = scores.shape
    inside = math.prod(shape[axis + 1 :])
    groups = scores.reshape(-1, size, inside)
    mask = np.empty(groups.shape, bool)
    step = max(1, _CACHED // (size * inside))
    for start in range(0, len(groups), step):
        part = slice(start, start + step)
        mask[part] = _among_largest(groups[part], count)
    mask = mask.reshape(shape)
    return np.take(mask, range(length), axis) if missing else mask


def _bounds(dtype):
    if dtype.kind == "f":
        return -np.inf, np.inf
    return np.iinfo(dtype).min, np.iinfo(dtype).max


def _among_largest(groups, count):
    """Which of `(groups, size, ...)` scores are among the largest of their group.

    A place among so few is cheaper to count than to sort.
    """
    size = groups.shape[1]
    behind = [np.full(groups[:, 0].shape, size - 1 - k, "int8") for k in range(size)]
    for later in range(size):
        for earlier in range(later):
            wins = (groups[:, earlier] >= groups[:, later]).view("int8")
            behind[earlier] -= wins
            behind[later] += wins
    return np.stack([place < count for place in behind], 1)


def zeroed(values, mask):
    """Return floats with +0.0 where a mask is false.

    As a product of their bits: one of floats leaves -0.0, which compresses worse, and
    `np.where` guesses at every weight which branch it will take.
    """
    bits = _bits(values)
    return (bits * mask).view(values.dtype)


def in_order_of_magnitude(values):
    """Return whole numbers that are in the same order as the floats' magnitudes.

    They are the bits without the sign. NaN is above infinity.

    Example:
        >>> numbers = in_order_of_magnitude(np.array([-3.0, 0.0, 2.0, -0.0]))
        >>> numbers.argsort(stable=True)
        array([1, 3, 2, 0])
    """
    bits = _bits(values)
    return bits & np.iinfo(bits.dtype).max


def _bits(values):
    return values.view(f"int{8 * values.dtype.itemsize}")


def pooled(scores, block, pooling):
    """Return one score for each block of the last two axes.

    Blocks at the end may be smaller.

    Args:
        scores: `(..., rows, columns)`.
        block: Rows and columns of a block.
        pooling: `"mean"` or `"max"`.

    Returns:
        `(..., block rows, block columns)`.
    """
    if pooling == "max":
        return _reduced(np.maximum, scores, block)
    sizes = _reduced(np.add, np.ones(scores.shape[-2:], "float32"), block)
    return _reduced(np.add, scores, block) / sizes


def spread(mask, block, shape):
    """Return the mask of weights of a shape from that of their blocks."""
    mask = mask.repeat(block[0], -2).repeat(block[1], -1)
    return np.ascontiguousarray(mask[..., : shape[-2], : shape[-1]])


def _reduced(function, values, block):
    for axis, size in zip((-2, -1), block, strict=True):
        starts = range(0, values.shape[axis], size)
        values = function.reduceat(values, starts, axis)
    return values
