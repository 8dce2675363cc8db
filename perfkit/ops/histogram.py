"""Maps of values that are made from the values of each image.

Images are float32 `(batch, height, width, channels)`.
"""

from perfkit._backend import gather_pixels, ops
from perfkit.ops.borders import reflect
from perfkit.ops.points import nearest

_TOP = 255


def autocontrast(images, value_range=(0.0, 255.0)):
    """Stretch each channel of each image over the range; a flat one stays."""
    low, high = value_range
    least = _over_pixels(ops.min, images)
    spread = _over_pixels(ops.max, images) - least
    varied = spread > 0.0
    share = (images - least) / ops.where(varied, spread, 1.0)
    return ops.where(varied, low + (high - low) * share, images)


def equalize(images, value_range=(0.0, 255.0), bins=256):
    """Spread the levels of each channel of each image evenly over the range.

    In whole numbers, as PIL does it. A channel with too few pixels for that many
    levels keeps them.
    """
    low, high = value_range
    top = bins - 1
    batch, _, _, channels = ops.shape(images)
    row = ops.arange(batch, dtype="int32")[:, None, None, None] * channels
    row = row + ops.arange(channels, dtype="int32")
    place = _levels(images, value_range, bins) + row * bins
    found = ops.reshape(_count(place, batch * channels * bins), (-1, bins))
    table = equalizing(found)
    table = low + ops.cast(table, "float32") * ((high - low) / top)
    # It rises anyway, but XLA writes down what it sorts. The rest it would fuse into
    # the look-up, and work out anew for each pixel.
    return _look_up(ops.sort(table, axis=1), place)


def equalizing(found):
    """New levels by old ones, from how often each was found, int32 `(n, levels)`."""
    levels = found.shape[1]
    below = ops.cumsum(found, axis=1) - found
    rest = ops.max(ops.where(found > 0, below, 0), axis=1)  # all but the top level
    step = (rest // (levels - 1))[:, None]
    table = (below + step // 2) // ops.maximum(step, 1)
    same = ops.arange(levels, dtype="int32")
    return ops.where(step > 0, ops.minimum(table, levels - 1), same)


def clahe(images, clip_limit, tiles=(8, 8), value_range=(0.0, 255.0)):
    """Equalize each channel by the histograms of the nearest tiles.

    As OpenCV has it: of 256 levels come 256 levels.

    Args:
        images: See the module.
        clip_limit: `(batch, 1, 1, 1)`; no level of a tile's histogram counts more than
            this many times the mean of all levels.
        tiles: Numbers of tiles from top to bottom and from left to right.
        value_range: `(low, high)` of the values.
    """
    low, high = value_range
    rows, columns = tiles
    batch, height, width, channels = ops.shape(images)
    # One pixel more where the tiles do not fit, even along an axis where they do.
    uneven = height % rows + width % columns
    uneven = (uneven + rows + columns - 1) // (rows + columns)
    tall, wide = height // rows + uneven, width // columns + uneven
    levels = _levels(images, value_range, _TOP + 1)
    tables = _tables_around(_tile_tables(levels, clip_limit, tiles, (tall, wide)))

    y, down = _between_tiles(height, tall)
    x, across = _between_tiles(width, wide)
    down, across = down[:, None, None], across[:, None]
    place = ops.arange(batch, dtype="int32")[:, None, None, None] * (rows + 1)
    place = (place + y[:, None, None]) * (columns + 1) + x[:, None]
    place = place * channels + ops.arange(channels, dtype="int32")
    place = place * (_TOP + 1) + levels
    (a, b), (c, d) = [[_look_up(t, place) for t in row] for row in tables]
    upper, lower = a + (b - a) * across, c + (d - c) * across
    return low + nearest(upper + (lower - upper) * down) * ((high - low) / _TOP)


def _tile_tables(levels, clip_limit, tiles, tile):
    """New levels by old ones, `(batch, rows, columns, channels, 256)`."""
    rows, columns = tiles
    tall, wide = tile
    batch, height, width, channels = ops.shape(levels)
    y = ops.arange(rows * tall, dtype="int32")
    x = ops.arange(columns * wide, dtype="int32")
    padded = ops.take(levels, reflect(y, height), axis=1)
    padded = ops.take(padded, reflect(x, width), axis=2)
    place = ops.arange(batch, dtype="int32")[:, None, None, None] * rows
    place = (place + (y // tall)[:, None, None]) * columns + (x // wide)[:, None]
    place = place * channels + ops.arange(channels, dtype="int32")
    place = place * (_TOP + 1) + padded
    found = _count(place, batch * rows * columns * channels * (_TOP + 1))
    found = ops.reshape(found, (batch, rows, columns, channels, _TOP + 1))

    area = ops.cast(tall * wide, "float32")
    limit = clip_limit[..., None] * (area / (_TOP + 1.0))
    limit = ops.maximum(ops.cast(limit, "int32"), 1)
    clipped = ops.minimum(found, limit)
    excess = ops.sum(found - clipped, axis=4)[..., None]
    clipped = clipped + excess // (_TOP + 1)
    # What is left over goes to every so many levels, one each.
    excess = excess % (_TOP + 1)
    stride = ops.maximum((_TOP + 1) // ops.maximum(excess, 1), 1)
    level = ops.arange(_TOP + 1, dtype="int32")
    extra = (level % stride == 0) & (level // stride < excess)
    total = ops.cumsum(clipped + ops.cast(extra, "int32"), axis=4)
    table = ops.round(ops.cast(total, "float32") * (float(_TOP) / area))
    return ops.minimum(table, float(_TOP))


def _tables_around(tables):
    """The tables of the four tiles around each place between tiles.

    The outermost count twice, as there are places beyond them.
    """
    rows = ops.concatenate([tables[:, :1], tables, tables[:, -1:]], axis=1)
    around = ops.concatenate([rows[:, :, :1], rows, rows[:, :, -1:]], axis=2)
    upper, lower = around[:, :-1], around[:, 1:]
    return [[row[:, :, :-1], row[:, :, 1:]] for row in (upper, lower)]


def _between_tiles(size, tile):
    """Between which tiles each pixel lies, and at what share of the way."""
    position = ops.arange(size, dtype="float32") / ops.cast(tile, "float32") - 0.5
    before = ops.floor(position)
    return ops.cast(before, "int32") + 1, position - before


def _over_pixels(reduce, images):
    """Reduce each channel; row by row first, which lie together in memory."""
    batch, height, width, channels = ops.shape(images)
    rows = ops.reshape(images, (batch, height, width * channels))
    columns = ops.reshape(reduce(rows, axis=1), (batch, width, channels))
    return reduce(columns, axis=1)[:, None, None, :]


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
