"""Fields of random numbers of one sample; see `perfkit.ops.noise`."""

import functools

import numpy as np

from perfkit.ops import noise
from perfkit.ops.host import cv2, flat

_CELLS = 64  # of the chances from 0 to 1, for each of which a guess is kept


def uniform(bits, places):
    """Floats in [0, 1) at places, whole numbers `(n,)`."""
    upper = _words(bits, places) >> np.uint32(8)
    return upper.astype("float32") * np.float32(2.0**-24)


def levels(bits, pixels, channels):
    """Bytes at pixels, whole numbers of any shape: `(*shape, channels)`."""
    groups = (channels + 3) // 4
    places = pixels if groups == 1 else pixels[..., None] * groups + np.arange(groups)
    found = _words(bits, places.ravel()).view("uint8")
    found = found.reshape(*pixels.shape, 4 * groups)
    if channels == 3 and found.ndim == 3:
        return cv2().cvtColor(found, cv2().COLOR_RGBA2RGB)  # faster than a slice
    return found[..., :channels]


def normal(bits, number):
    """The first standard normal floats of a field."""
    words = _words(bits, np.arange((number + 1) // 2, dtype="uint32"))
    return np.take(_quantiles(), words.view("<u2")[:number])


def poisson(bits, image, means):
    """Whole floats from Poisson distributions, of a mean for each of 256 levels.

    A chance is looked up in a few cells, which gives a number that is right or a
    little too small.
    """
    means = means.astype("float32")
    levels = image.ravel()
    chance = uniform(bits, np.arange(levels.size, dtype="uint32"))
    below = np.stack(list(noise.below_each(means)), axis=1)  # (level, number)
    numbers = below.shape[1]
    cell = np.minimum(np.ceil(below * _CELLS), _CELLS).astype("int64")
    cell += np.arange(len(below))[:, None] * (_CELLS + 1)
    found = np.bincount(cell.ravel(), minlength=len(below) * (_CELLS + 1))
    guess = np.cumsum(found.reshape(len(below), -1), axis=1).astype("int32").ravel()
    level = levels.astype("int32")
    place = level * (_CELLS + 1) + (chance * np.float32(_CELLS)).astype("int32")
    count = np.take(guess, place)
    below = np.column_stack([below, np.full(len(below), 2.0, "float32")]).ravel()
    first = level * (numbers + 1)
    higher = np.flatnonzero(np.take(below, first + count) <= chance)
    while higher.size:
        count[higher] += 1
        higher = higher[below[first[higher] + count[higher]] <= chance[higher]]
    count = count.astype("float32")
    bright = np.flatnonzero((means > noise.FEW)[level])
    if bright.size:
        count[bright] = noise.many(chance[bright], means[level[bright]])
    return count.reshape(image.shape)


def added(image, field):
    """Bytes with floats added to them, which may be the same for all channels."""
    if field.shape[-1] != image.shape[-1]:
        field = np.repeat(field, image.shape[-1], axis=-1)
    return cv2().add(flat(image), flat(field), dtype=cv2().CV_8U)


def _words(bits, places):
    return noise.words_on_host(np.reshape(bits, 1), places[None])[0]


@functools.cache
def _quantiles():
    return noise.quantile(np.arange(noise.LEVELS, dtype="int32"))
