"""Maps of values that are made from the values of each image.

Images are float32 `(batch, height, width, channels)`.
"""

from perfkit._backend import gather_pixels, ops


def autocontrast(images, value_range=(0.0, 255.0)):
    """Stretch each channel of each image over the range; a flat one stays."""
    low, high = value_range
    least = ops.min(images, axis=(1, 2))[:, None, None, :]
    spread = ops.max(images, axis=(1, 2))[:, None, None, :] - least
    varied = spread > 0.0
    share = (images - least) / ops.where(varied, spread, 1.0)
    return ops.where(varied, low + (high - low) * share, images)


def equalize(images, value_range=(0.0, 255.0), bins=256):
    """Spread the levels of each channel of each image evenly over the range.

    In whole numbers, as PIL does it. A channel with too few pixels for that many
    levels stays as it is.
    """
    low, high = value_range
    top = bins - 1
    batch, _, _, channels = ops.shape(images)
    row = ops.arange(batch, dtype="int32")[:, None, None, None] * channels
    row = row + ops.arange(channels, dtype="int32")
    place = _levels(images, value_range, bins) + row * bins
    found = ops.reshape(_count(place, batch * channels * bins), (-1, bins))
    below = ops.cumsum(found, axis=1) - found
    rest = ops.max(ops.where(found > 0, below, 0), axis=1)  # all but the top level
    step = (rest // top)[:, None]
    table = (below + step // 2) // ops.maximum(step, 1)
    table = ops.cast(ops.minimum(table, top), "float32")
    equalized = _look_up(low + table * ((high - low) / top), place)
    enough = ops.reshape(step > 0, (batch, 1, 1, channels))
    return ops.where(enough, equalized, images)


def _levels(images, value_range, bins):
    """The nearest of `bins` levels of the range, as int32."""
    low, high = value_range
    levels = ops.round((images - low) * ((bins - 1) / (high - low)))
    # NaN has the level 0; `clip` would keep it.
    levels = ops.where(levels > 0.0, ops.minimum(levels, bins - 1.0), 0.0)
    return ops.cast(levels, "int32")


def _count(place, size):
    """How often each number below `size` stands in `place`."""
    place = ops.reshape(place, (-1,))
    return ops.segment_sum(ops.ones_like(place), place, size)


def _look_up(table, place):
    """Entries of a table, which is read flat."""
    pixels = ops.reshape(table, (1, -1, 1, 1))
    picked = gather_pixels(pixels, ops.reshape(place, (1, -1, 1)))
    return ops.reshape(picked, ops.shape(place))
