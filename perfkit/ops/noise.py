"""Fields of random numbers, one per sample, from one number per sample.

A field is a pure function of the sample's bits and of the place in the field, in
32-bit integer arithmetic, so it is the same on every backend, however much of it is
asked for. Each place costs two rounds of a mixing function, not the twenty of
Threefry: noise on pixels needs no more.

Reference: the mixing function has the form of Appleby's MurmurHash3, 2011, with the
constants and shifts found by Wellons, Prospecting for Hash Functions, 2018.
"""

import math

from perfkit._backend import ops

_LEVELS = 2**16


def _mixed(x):
    for bits, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)):
        x = _shifted(x, bits) * factor
    return _shifted(x, 16)


def _shifted(x, bits):
    """Exclusive or with itself shifted right; the mask drops copies of the sign."""
    upper = ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)
    return ops.bitwise_xor(x, upper)


def words(bits, *shape):
    """Random 32-bit words, int32 `(batch, *shape)`, from int32 `(batch,)`."""
    places = ops.arange(math.prod(shape), dtype="int32")
    places = ops.reshape(places, (1, *shape))
    bits = ops.reshape(bits, (-1,) + (1,) * len(shape))
    # Shifting the places alone would give two samples parts of one sequence. The other
    # word is that of place -1, which no field has.
    return _mixed(ops.bitwise_xor(_mixed(places + bits), _mixed(bits - 1)))


def uniform(bits, *shape):
    """Floats in [0, 1), `(batch, *shape)`, from int32 `(batch,)`."""
    upper = ops.bitwise_and(ops.right_shift(words(bits, *shape), 8), (1 << 24) - 1)
    return ops.cast(upper, "float32") * 2.0**-24


def integers(bits, number, *shape):
    """Whole numbers in [0, number), int32 `(batch, *shape)`; `number` up to 2**24."""
    drawn = ops.cast(ops.floor(uniform(bits, *shape) * float(number)), "int32")
    return ops.minimum(drawn, number - 1)  # a product may be rounded up


def normal(bits, *shape):
    """Standard normal floats, `(batch, *shape)`, from int32 `(batch,)`.

    They have 65,536 levels and end at 4.3 deviations.
    """
    upper = ops.bitwise_and(ops.right_shift(words(bits, *shape), 16), _LEVELS - 1)
    centered = (ops.cast(upper, "float32") + 0.5) * (2.0 / _LEVELS) - 1.0
    return math.sqrt(2.0) * ops.erfinv(centered)
