"""Which pixels of an image are dropped: booleans `(batch, height, width, 1)`."""

import math

from perfkit._backend import matmul, ops
from perfkit.ops import noise


def rectangle(y, x, tall, wide, height, width):
    """One rectangle of whole pixels.

    Args:
        y: Where it lies between top and bottom, in [0, 1), `(batch, 1, 1, 1)`.
        x: The same between left and right.
        tall: Its height as a fraction of the image's, `(batch, 1, 1, 1)`.
        wide: Its width as a fraction of the image's.
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.
    """
    rows, columns = rectangle_ends(y, x, tall, wide, height, width)
    rows, columns = _within(rows, height), _within(columns, width)
    return rows[:, :, None, None] & columns[:, None, :, None]


def rectangle_ends(y, x, tall, wide, height, width):
    """Where the rows and the columns of `rectangle` start and stop, `(batch, 1)`."""
    return ends(y, tall, height), ends(x, wide, width)


def holes(bits, number, most, tall, wide, height, width):
    """As many rectangles as `number`, float32 `(batch, 1, 1, 1)`, at most `most`.

    Heights and widths are uniform fractions of the image's from the ranges `tall`
    and `wide`. Rectangles may overlap.
    """
    rows, columns = hole_ends(bits, most, tall, wide, height, width)
    rows, columns = _within(rows, height), _within(columns, width)
    counts = ops.arange(most, dtype="float32")[None, :, None] < number[:, 0]
    rows = ops.cast(rows & counts, "float32")
    covered = matmul(ops.transpose(rows, (0, 2, 1)), ops.cast(columns, "float32"))
    return covered[..., None] > 0.5


def hole_ends(bits, most, tall, wide, height, width):
    """The same of the first `most` rectangles of `holes`, `(batch, most, 1)`."""
    places = noise.uniform(bits, 4, most)[..., None]
    tall_at, wide_at, y, x = [places[:, k] for k in range(4)]
    rows = ends(y, _between(tall, tall_at), height)
    return rows, ends(x, _between(wide, wide_at), width)


def grid(unit, kept, y, x, turns, height, width):
    """A square out of each unit of a square grid that is turned about the middle.

    Args:
        unit: Side of a unit as a fraction of the shorter side, `(batch, 1, 1, 1)`.
        kept: Fraction of a unit's side between squares, `(batch, 1, 1, 1)`.
        y: Shift of the grid down its own columns, in units, `(batch, 1, 1, 1)`.
        x: Shift of the grid along its own rows, in units, `(batch, 1, 1, 1)`.
        turns: Angle, as a fraction of a full turn, counter-clockwise.
        height: Height of the image, in pixels.
        width: Width of the image, in pixels.
    """
    tall, wide = ops.cast(height, "float32"), ops.cast(width, "float32")
    down = ops.arange(height, dtype="float32")[None, :, None, None] + 0.5 - tall / 2
    right = ops.arange(width, dtype="float32")[None, None, :, None] + 0.5 - wide / 2
    angle = turns * (2.0 * math.pi)
    scale = 1.0 / (unit * ops.minimum(tall, wide))
    cos, sin = ops.cos(angle) * scale, ops.sin(angle) * scale
    along, across = right * cos - down * sin + x, right * sin + down * cos + y
    share = 1.0 - kept
    return (along - ops.floor(along) < share) & (across - ops.floor(across) < share)


def ends(place, share, size, least=1.0):
    """Where intervals of whole pixels, `least` of them or more, start and stop.

    `place` in [0, 1) says where they lie, `share` how much of `size` they are.
    """
    extent = ops.cast(size, "float32")
    length = ops.maximum(ops.round(share * extent), least)
    start = ops.floor(place * (extent - length + 1.0))
    return start, start + length


def _within(interval, size):
    """What lies in intervals: ends `(..., 1)` to booleans `(..., size)`."""
    position = ops.arange(size, dtype="float32")
    return (position >= interval[0]) & (position < interval[1])


def _between(span, share):
    low, high = span
    return low + (high - low) * share
