"""Pictures put together of four, which meet at one point.

Each of the four shows the part that lies at the point: the upper left one its lower
right corner. So all of them are rolled alike, and each tile takes from its own.
"""

from perfkit._backend import gather_pixels, ops
from perfkit.ops import boxes

TILES = ((1, 1), (0, 0), (0, 1), (1, 0))  # row and column; first the lower right


def assemble(images, partners, x, y):
    """Put NHWC pictures together.

    Args:
        images: `(batch, height, width, channels)`, any dtype.
        partners: For each of `TILES` int32 `(batch,)`: whose part it shows.
        x: float32 `(batch,)`: where the four meet, in whole pixels.
        y: The same from the upper edge.
    """
    batch, height, width, channels = ops.shape(images)
    down = ops.arange(height, dtype="int32")[None, :, None]
    across = ops.arange(width, dtype="int32")[None, None, :]
    x, y = [ops.cast(place, "int32")[:, None, None] for place in (x, y)]
    whose = 0
    for (row, column), partner in zip(TILES, partners, strict=True):
        tile = ((down >= y) == bool(row)) & ((across >= x) == bool(column))
        whose = whose + ops.where(tile, partner[:, None, None], 0)
    down = ops.where(down >= y, down - y, down - y + height)
    across = ops.where(across >= x, across - x, across - x + width)
    index = (whose * height + down) * width + across
    long = ops.reshape(images, (1, batch * height, width, channels))
    picked = gather_pixels(long, ops.reshape(index, (1, batch * height, width)))
    return ops.reshape(picked, (batch, height, width, channels))


def areas(x, y, height, width):
    """Share of the picture that each of `TILES` covers, `(batch,)` each."""
    x, y = x / width, y / height
    sides = ((y, 1.0 - y), (x, 1.0 - x))
    return [sides[0][row] * sides[1][column] for row, column in TILES]


def move(corners, tile, x, y, height, width):
    """Boxes `(batch, n, 4)` of an image, as far as one of `TILES` shows them."""
    row, column = tile
    x, y = x[:, None], y[:, None]
    left, top = x - (1 - column) * width, y - (1 - row) * height
    moved = corners + ops.stack([left, top, left, top], axis=-1)
    frame = x * column, y * row, *_ends(tile, x, y, height, width)
    return boxes.clip(moved, *frame)


def _ends(tile, x, y, height, width):
    row, column = tile
    return (x * 0.0 + width if column else x), (y * 0.0 + height if row else y)
