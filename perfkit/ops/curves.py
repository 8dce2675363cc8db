"""Curves from 1 down to 0, over a share of the way from 0 to 1."""

import math

from perfkit._backend import ops


def progress(step, steps, begin=0):
    """How much of `steps` that come after `begin` is done, within [0, 1]."""
    if steps == 0:
        return ops.cast(step >= begin, "float32")
    # Subtracted as whole numbers, which are exact however many there are.
    done = ops.cast(ops.cast(step, "int32") - begin, "float32")
    return ops.clip(done / float(steps), 0.0, 1.0)


def linear(share):
    """A straight line."""
    return 1.0 - share


def cosine(share):
    """Half a wave, which begins and ends level."""
    return 0.5 + 0.5 * ops.cos(math.pi * share)


def sqrt(share):
    """Falls steeply at first, and ever less."""
    return 1.0 - ops.sqrt(share)


def rex(share):
    """Falls slowly at first, and ever more steeply."""
    return (1.0 - share) / (1.0 - 0.5 * share)


FALLS = {"cosine": cosine, "linear": linear, "sqrt": sqrt}
