"""Spans of places that follow each other, laid at random."""

import math

from perfkit._backend import ops
from perfkit.ops import choice, noise


def turns(starts, lengths, free, mean, longest):
    """When each place is covered, if one span after the other is laid.

    At every free place a span begins, of a geometric length that is cut off, and they
    have their turns in a random order. A place is covered by the first that reaches it.

    Args:
        starts: int32 `(batch, 1)`, the bits of the order.
        lengths: int32 `(batch, 1)`, the bits of the lengths.
        free: Booleans `(batch, length)`.
        mean: Mean length of a span.
        longest: Length at which spans are cut off.

    Returns:
        int32 `(batch, length)` keys for `choice.lowest`, all different: a span is
        covered from its start on, and places that are not free are last.
    """
    never = 2**30 - 1
    size = ops.shape(free)[1]
    turn = ops.where(free, choice.keys(starts, size), never)
    length = geometric(noise.uniform(lengths, size), ratio(mean, longest), longest)
    before = ops.zeros_like(turn[:, :1]) + ops.zeros((1, longest - 1), "int32")
    turn = ops.concatenate([before + never, turn], axis=1)
    length = ops.concatenate([ops.cast(before, "float32"), length], axis=1)
    first = ops.zeros_like(turn[:, :1]) + never
    for step in range(longest):
        start = longest - 1 - step
        reaches = length[:, start : start + size] > step
        begun = ops.where(reaches, turn[:, start : start + size], never)
        first = ops.minimum(first, begun)
    place = ops.arange(size, dtype="int32")[None, :]
    return ops.where(free, first + place, never)


def geometric(draw, ratio, longest):
    """Whole floats from 1 to `longest`, each `ratio` times as likely as the one before.

    Args:
        draw: Uniform floats in [0, 1).
        ratio: Within (0, 1).
        longest: The greatest.
    """
    tail = 1.0 - draw * (1.0 - ratio**longest)
    length = 1.0 + ops.floor(ops.log(tail) / math.log(ratio))
    return ops.minimum(length, float(longest))


def ratio(mean, longest):
    """The ratio with which `geometric` has a mean, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        weights = [middle**k for k in range(longest)]
        total = sum((k + 1) * weight for k, weight in enumerate(weights))
        low, high = (middle, high) if total < mean * sum(weights) else (low, middle)
    return high
