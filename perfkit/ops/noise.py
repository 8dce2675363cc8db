"""Fields of random numbers, one per sample, from one number per sample.

A field is a pure function of the sample's bits and of the place in the field, in
32-bit integer arithmetic, so it is the same on every backend, however much of it is
asked for. Each place costs two rounds of a mixing function, not the twenty of
Threefry: noise on pixels needs no more.

Reference: the mixing function has the form of Appleby's MurmurHash3, 2011, with the
constants and shifts found by Wellons, Prospecting for Hash Functions, 2018.
"""

import math

import numpy as np

from perfkit._backend import engine, ops

LEVELS = 2**16
_BLOCK = 2**14  # words that fit into the first cache
OTHER = 0x2545F491
STEPS, LAST = ((16, 0x7FEB352D), (15, 0x846CA68B - 2**32)), 16
FEW, _FEW_AT_MOST = 8.0, 27  # more than 27 of 8 are as rare as one of the words


def mixed(x):
    """Mix the bits of int32 words, each by itself, so that none is lost."""
    for bits, factor in STEPS:
        x = _shifted(x, bits) * factor
    return _shifted(x, LAST)


def _shifted(x, bits):
    """Exclusive or with itself shifted right; the mask drops copies of the sign."""
    upper = ops.bitwise_and(ops.right_shift(x, bits), (1 << (32 - bits)) - 1)
    return ops.bitwise_xor(x, upper)


def words(bits, *shape):
    """Random 32-bit words, int32 `(batch, *shape)`, from int32 `(batch,)`."""
    return _words(bits, _places(shape))


def _places(shape):
    """The number of each place of a field, int32 `(1, *shape)`."""
    return ops.reshape(ops.arange(math.prod(shape), dtype="int32"), (1, *shape))


def _words(bits, places):
    if engine() == "numpy":
        return words_on_host(bits, places).view("int32")
    bits = ops.reshape(bits, (-1,) + (1,) * (len(places.shape) - 1))
    # Shifting the places alone would give two samples parts of one sequence. Both
    # mix the same number, which makes a zero, at a place that differs by the sample.
    other = ops.bitwise_xor(bits, OTHER)
    return mixed(ops.bitwise_xor(mixed(places + bits), mixed(other)))


def words_on_host(bits, places):
    """Random 32-bit words in NumPy without a sign, `(batch, *places.shape[1:])`.

    `bits` are int32 `(batch,)`, `places` whole numbers `(1, ...)` or `(batch, ...)`.
    """
    first = np.reshape(bits, (-1,) + (1,) * (places.ndim - 1)).astype("int32")
    second = (first ^ np.int32(OTHER)).view("uint32")
    _mix(second, np.empty_like(second))
    words = places.astype("uint32", copy=False) + first.view("uint32")
    rows = words.reshape(words.size) if len(first) == 1 else words
    if len(first) > 1:
        _mix_twice(rows, second)
        return words
    for start in range(0, len(rows), _BLOCK):
        _mix_twice(rows[start : start + _BLOCK], second.ravel())
    return words


def _mix_twice(words, between):
    spare = np.empty_like(words)
    _mix(words, spare)
    words ^= between
    _mix(words, spare)


def _mix(words, spare):
    """The same as `mixed`, in place."""
    for bits, factor in STEPS:
        np.right_shift(words, np.uint32(bits), out=spare)
        words ^= spare
        words *= np.uint32(factor % 2**32)
    np.right_shift(words, np.uint32(LAST), out=spare)
    words ^= spare


def levels(bits, height, width, channels):
    """Whole floats of 0 to 255, `(batch, height, width, channels)`.

    The bytes of a word, from the last one on, are those of four channels.
    """
    groups = (channels + 3) // 4
    word = words(bits, height, width, groups)
    parts = [
        ops.bitwise_and(ops.right_shift(word[..., k // 4], 8 * (k % 4)), 255)
        for k in range(channels)
    ]
    return ops.cast(ops.stack(parts, axis=-1), "float32")


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

    They have 65,536 levels and end at 4.3 deviations. Two share a word.
    """
    return quantile(_levels(bits, shape))


def nearly_normal(bits, *shape):
    """What `normal` draws to within 1e-4, in two thirds of the time on a CPU."""
    return _normal_quantile(_centered(_levels(bits, shape)))


def quantile(level):
    """The normal quantile of the middle of one of 65,536 levels, int32."""
    return math.sqrt(2.0) * ops.erfinv(_centered(level))


def _levels(bits, shape):
    places = _places(shape)
    half = ops.bitwise_and(places, 1) * 16
    word = ops.right_shift(_words(bits, ops.right_shift(places, 1)), half)
    return ops.bitwise_and(word, LEVELS - 1)


def _centered(level):
    return (ops.cast(level, "float32") + 0.5) * (2.0 / LEVELS) - 1.0


def poisson(bits, mean):
    """Whole floats from Poisson distributions of means `(batch, ...)`.

    Up to a mean of 8 by inversion, exactly. Above, one in 1,500 draws or fewer is
    next to the number that inversion gives.

    Reference: the expansion is Q_N2 of Giles, Algorithm 955: Approximation of the
    Inverse Poisson Cumulative Distribution Function, 2016.
    """
    chance = uniform(bits, *ops.shape(mean)[1:])
    few = 0.0
    for k, below in enumerate(below_each(mean), 1):
        few = ops.where(below <= chance, float(k), few)
    return ops.where(mean > FEW, many(chance, mean), few)


def below_each(mean):
    """For 0 and following numbers the chance of no more than that, up to a mean."""
    low = ops.minimum(mean, FEW)
    share = ops.exp(-low)
    below = share
    for k in range(1, _FEW_AT_MOST + 1):
        yield below
        share = share * (low * (1.0 / k))
        below = below + share


def many(chance, mean):
    """The quantile of a Poisson distribution of a large mean, nearly."""
    high = ops.maximum(mean, FEW)
    root = ops.sqrt(high)
    w = _normal_quantile(2.0 * chance - (1.0 - 2.0**-24))
    square = w * w
    number = high + root * w + (1 / 3 + square * (1 / 6))
    number = number - w * (1 / 36 + square * (1 / 72)) / root
    last = -8 / 405 + square * (7 / 810 + square * (1 / 270))
    return ops.floor(number + last / high)


def _normal_quantile(x):
    """The normal quantile of `(1 + x) / 2` to within 4e-5, for float32 |x| < 1.

    It is `x` times a function of `log(1 - x^2)`, here a rational one that was fitted
    to SciPy's. XLA does not vectorize `erfinv` beside the steps of an inversion.
    """
    y = -ops.log((1.0 - x) * (1.0 + x))
    above = 1.253493 + y * (0.4289717 + y * (0.07763989 + y * 0.007712877))
    below = 1.0 + y * (0.08086933 + y * (0.02757294 + y * 0.0003955513))
    return x * above / below
