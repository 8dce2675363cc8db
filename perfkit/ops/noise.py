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
_OTHER = 0x2545F491
_FEW, _FEW_AT_MOST = 8.0, 27  # more than 27 of 8 are as rare as one of the words


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
    # Shifting the places alone would give two samples parts of one sequence. Both
    # mix the same number, which makes a zero, at a place that differs by the sample.
    other = ops.bitwise_xor(bits, _OTHER)
    return _mixed(ops.bitwise_xor(_mixed(places + bits), _mixed(other)))


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


def poisson(bits, mean):
    """Whole floats from Poisson distributions of means `(batch, ...)`.

    Up to a mean of 8 by inversion, exactly. Above, one in 1,500 draws or fewer is
    next to the number that inversion gives.

    Reference: the expansion is Q_N2 of Giles, Algorithm 955: Approximation of the
    Inverse Poisson Cumulative Distribution Function, 2016.
    """
    chance = uniform(bits, *ops.shape(mean)[1:])
    low = ops.minimum(mean, _FEW)
    share = ops.exp(-low)
    below, few = share, 0.0
    for k in range(1, _FEW_AT_MOST + 1):
        few = ops.where(below <= chance, float(k), few)
        share = share * (low * (1.0 / k))
        below = below + share
    high = ops.maximum(mean, _FEW)
    root = ops.sqrt(high)
    w = _normal_quantile(2.0 * chance - (1.0 - 2.0**-24))
    square = w * w
    many = high + root * w + (1 / 3 + square * (1 / 6))
    many = many - w * (1 / 36 + square * (1 / 72)) / root
    last = -8 / 405 + square * (7 / 810 + square * (1 / 270))
    many = ops.floor(many + last / high)
    return ops.where(mean > _FEW, many, few)


def _normal_quantile(x):
    """The normal quantile of `(1 + x) / 2` to within 4e-5, for float32 |x| < 1.

    It is `x` times a function of `log(1 - x^2)`, here a rational one that was fitted
    to SciPy's. XLA does not vectorize `erfinv` beside the steps of an inversion.
    """
    y = -ops.log((1.0 - x) * (1.0 + x))
    above = 1.253493 + y * (0.4289717 + y * (0.07763989 + y * 0.007712877))
    below = 1.0 + y * (0.08086933 + y * (0.02757294 + y * 0.0003955513))
    return x * above / below
