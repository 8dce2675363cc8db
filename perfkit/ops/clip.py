"""Clips of sound: their padding, their energy, and where their samples go.

Clips are float32 of shape `(batch, time, ...)`, a `length` is int32 `(batch, 1, ...)`
of as many axes: time from there on is padding.
"""

import math

from perfkit._backend import gather_pixels, ops, real_signal
from perfkit.ops import noise

FILL_MODES = ("constant", "mean")  # what bands show


def places(length, time):
    """Numbers of the places in time, int32, along the axis of time of a length."""
    axes = len(length.shape) - 2
    return ops.reshape(ops.arange(time, dtype="int32"), (1, -1) + (1,) * axes)


def inside(length, time):
    """Booleans `(batch, time, 1, ...)`: what is not padding."""
    return places(length, time) < length


def energy(clips):
    """Sum of squares of each clip, `(batch, 1, ...)`."""
    axes = tuple(range(1, len(clips.shape)))
    total = ops.sum(clips * clips, axis=axes)
    return ops.reshape(total, (-1,) + (1,) * len(axes))


def at_ratio(clips, others, length, decibels):
    """Add other clips so much lower than `clips`, measured over their length.

    Where either is silent nothing is added.
    """
    known = inside(length, ops.shape(clips)[1])
    own = energy(ops.where(known, clips, 0.0))
    others = ops.where(known, others, 0.0)
    theirs = energy(others)
    gain = ops.sqrt(own / ops.where(theirs > 0.0, theirs, 1.0))
    return clips + others * gain * ops.power(10.0, decibels * -0.05)


def colored_noise(bits, slope, time, channels):
    """Noise `(batch, time, channels)` whose power changes by `slope` an octave.

    Args:
        bits: int32 `(batch,)`.
        slope: Decibels an octave, `(batch,)`.
        time: Number of samples.
        channels: Number of channels, whose noises are independent.
    """
    bins = time // 2 + 1
    frequency = ops.cast(ops.arange(bins, dtype="int32"), "float32")
    exponent = ops.reshape(slope, (-1, 1, 1)) * (0.05 / math.log10(2.0))
    level = ops.power(ops.maximum(frequency, 1.0), exponent)
    level = ops.where(frequency > 0.0, level, 0.0)  # no constant: it makes no sound
    field = noise.normal(bits, 2, channels, bins)
    signals = real_signal(field[:, 0] * level, field[:, 1] * level, time)
    return ops.transpose(signals, (0, 2, 1))


def read(clips, index):
    """Clips read at other places: int32 `(batch, time)`, in range."""
    batch, time, *rest = ops.shape(clips)
    flat = ops.reshape(clips, (batch, 1, time, math.prod(rest)))
    return ops.reshape(gather_pixels(flat, index[:, None, :]), ops.shape(clips))


def bands(bits, number, width, share, length, size):
    """Booleans `(batch, size)`: what lies in one of some random bands.

    Args:
        bits: int32 `(batch,)`.
        number: Number of bands, which may overlap.
        width: Most that a band covers; widths are whole, all as likely from 0 on.
        share: The same as a share of the length.
        length: int32 `(batch,)`, where bands end at the latest.
        size: Number of places.
    """
    length = ops.cast(length, "float32")[:, None]
    field = noise.uniform(bits, 2, number)
    widest = ops.minimum(ops.floor(length * share), float(width))
    # A product with a number just below 1 may be rounded up to the other factor.
    width = ops.minimum(ops.floor(field[:, 0] * (widest + 1.0)), widest)
    room = length - width
    start = ops.minimum(ops.floor(field[:, 1] * (room + 1.0)), room)
    place = ops.cast(ops.arange(size, dtype="int32"), "float32")[None, :, None]
    covered = (place >= start[:, None, :]) & (place < (start + width)[:, None, :])
    return ops.any(covered, axis=-1)


def mean(clips, length):
    """Mean over time, and over bins if there are any, `(batch, 1, ..., channels)`."""
    known = inside(length, ops.shape(clips)[1])
    axes = tuple(range(1, len(clips.shape) - 1))
    total = ops.sum(ops.where(known, clips, 0.0), axis=axes)
    count = ops.sum(ops.where(known, ops.ones_like(clips), 0.0), axis=axes)
    shape = (-1,) + (1,) * len(axes) + (ops.shape(clips)[-1],)
    return ops.reshape(total / ops.maximum(count, 1.0), shape)


def shift(clips, share, length):
    """Clips shifted by a share of their length, `(batch, 1, ...)`, round the end.

    Returns:
        The clips, and booleans `(batch, time, 1, ...)`: what went round.
    """
    place = places(length, ops.shape(clips)[1])
    steps = ops.cast(ops.round(share * ops.cast(length, "float32")), "int32")
    source = place - steps
    around = (source < 0) | (source >= length)
    source = ops.where(source < 0, source + length, source)
    source = ops.where(source >= length, source - length, source)
    source = ops.where(place < length, source, place)
    batch, time = ops.shape(clips)[:2]
    return read(clips, ops.reshape(source, (batch, time))), around


def stretch(clips, speed, length):
    """Clips at another speed, `(batch, 1, ...)`, by linear interpolation in time."""
    batch, time = ops.shape(clips)[:2]
    last = ops.maximum(length - 1, 0)
    place = ops.cast(places(length, time), "float32") * speed
    lower = ops.floor(place)
    share = place - lower
    lower = ops.minimum(ops.cast(lower, "int32"), last)
    upper = ops.minimum(lower + 1, last)
    lower, upper = [
        read(clips, ops.reshape(index, (batch, time))) for index in (lower, upper)
    ]
    return lower + (upper - lower) * share


def stretched(length, speed):
    """Length of clips at another speed, rounded up, int32."""
    return ops.cast(-ops.floor(ops.cast(-length, "float32") / speed), "int32")
