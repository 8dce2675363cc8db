"""The median of a square window, by a network of exchanges of whole images."""

from perfkit._backend import ops
from perfkit.ops import borders


def median(images, size):
    """Median of the odd `size` x `size` pixels around each of NHWC images.

    Rows and then columns of the sorted rows are sorted, which leaves few that can
    be the median; where outputs of an exchange are not used, XLA leaves it out.

    Reference: Smith, Implementing Median Filters in XC4000E FPGAs, 1996, for a size
    of 3.
    """
    _, height, width, _ = ops.shape(images)
    padded = borders.pad(images, size // 2, size // 2, borders.nearest)
    columns = [
        _sorted([padded[:, y : y + height, x : x + width] for y in range(size)])
        for x in range(size)
    ]
    rows = [_sorted([column[y] for column in columns]) for y in range(size)]
    # Row y, column x is no less than (y + 1)(x + 1) pixels, itself counted.
    most = size * size // 2 + 1
    possible = [
        rows[y][x]
        for y in range(size)
        for x in range(size)
        if (y + 1) * (x + 1) <= most and (size - y) * (size - x) <= most
    ]
    return _sorted(possible)[len(possible) // 2]


def _sorted(images):
    """Sort pixel by pixel, by the exchanges of `_network`."""
    images = list(images)
    for i, j in _network(len(images)):
        a, b = images[i], images[j]
        # `minimum` and `maximum` look for NaN too, and take three times as long.
        less = a < b
        images[i], images[j] = ops.where(less, a, b), ops.where(less, b, a)
    return images


def _network(count):
    """Pairs to put in order, one after the other, so that all are in order.

    Reference: Batcher, Sorting Networks and Their Applications, 1968.
    """
    pairs, merged = [], 1
    while merged < count:
        step = merged
        while step >= 1:
            for start in range(step % merged, count - step, 2 * step):
                for i in range(start, min(start + step, count - step)):
                    if i // (2 * merged) == (i + step) // (2 * merged):
                        pairs.append((i, i + step))
            step //= 2
        merged *= 2
    return pairs
