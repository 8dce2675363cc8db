"""Random choices among the entries of each row."""

from perfkit._backend import gather_pixels, ops
from perfkit.ops import noise

_BITS = 30  # of a key: room for a threshold above all of them


def keys(bits, size):
    """Random int32 keys `(batch, size)` with room for the number of the place.

    They are in random order, but equal where the upper bits are: adding the place makes
    all different.
    """
    known = isinstance(size, int)
    lower = 2 ** (max(size - 1, 1).bit_length() if known else 16) - 1
    return ops.bitwise_and(noise.words(bits, size), (2**_BITS - 1) - lower)


def lowest(keys, number):
    """Booleans: the `number` lowest keys of each row.

    By bisection, which is several times faster than to sort.

    Args:
        keys: int32 `(batch, size)` in [0, 2**30), all different, but for those that
            are higher than `number` others.
        number: int32 `(batch, 1)`.
    """

    def halve(step, threshold):
        higher = threshold + ops.left_shift(ops.ones_like(threshold), _BITS - step)
        below = ops.sum(ops.cast(keys < higher, "int32"), axis=-1)[:, None]
        return ops.where(below <= number, higher, threshold)

    start = ops.zeros_like(keys[:, :1])
    return keys < ops.fori_loop(0, _BITS + 1, halve, start)


def rounded(number, rounding):
    """Numbers rounded up or down, by a uniform draw, so that their mean stays."""
    # Parts of 1024 add to a few thousand without rounding.
    rounding = (ops.floor(rounding * 1024.0) + 0.5) / 1024.0
    return ops.cast(ops.floor(number + rounding), "int32")


def pick(bits, size, number):
    """Booleans `(batch, size)`, `number` of them true in each row, any as likely.

    Args:
        bits: int32 `(batch,)`, or of as many entries.
        size: Entries of a row.
        number: int32 `(batch, 1)`.
    """
    place = ops.arange(size, dtype="int32")[None, :]
    return lowest(keys(bits, size) + place, number)


def swapped(order, rank, number):
    """For each place the one that it swaps with; the same, if it is in no pair.

    Args:
        order: int32 `(batch, size)`, the place of each rank.
        rank: int32 `(batch, size)`, the rank of each place.
        number: int32 `(batch, 1)`, even: the ranks below it are in pairs, 0 with 1, 2
            with 3 and so on.
    """
    size = ops.shape(rank)[1]
    other = ops.minimum(ops.bitwise_xor(rank, 1), size - 1)
    partner = gather_pixels(order[:, None, :, None], other[:, None, :])[:, 0, :, 0]
    place = ops.arange(size, dtype="int32")[None, :]
    return ops.where(rank < number, partner, place)


def closed(stays):
    """For each place the one that moves there, if all that stay move to the left.

    `size` where there is none.
    """
    size = ops.shape(stays)[1]
    place = ops.arange(size, dtype="int32")[None, :]
    order = ops.argsort(ops.where(stays, place, place + size), axis=-1)
    number = ops.sum(ops.cast(stays, "int32"), axis=1)[:, None]
    return ops.where(place < number, ops.cast(order, "int32"), size)
