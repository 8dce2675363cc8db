"""Homographies from input to output pixels: float32, shape `(batch, 3, 3)`.

Coordinates are continuous: pixel `i` covers `[i, i + 1)`, x points right and y
points down.
"""

import math

import numpy as np

from perfkit._backend import ops


def matrix(rows):
    """Put nine numbers or `(batch,)` arrays together to `(batch, 3, 3)`.

    Numbers alone make a batch of one.
    """
    entries = [v for row in rows for v in row]
    fixed = [v if isinstance(v, (int, float)) else 0.0 for v in entries]
    fixed = ops.convert_to_tensor([[fixed[k : k + 3] for k in (0, 3, 6)]], "float32")
    places = [k for k, v in enumerate(entries) if not isinstance(v, (int, float))]
    if not places:
        return fixed
    varying = [entries[k] for k in places]
    if len({tuple(v.shape) for v in varying}) > 1 or not len(varying[0].shape):
        zeros = ops.zeros((1,), "float32")
        for v in varying:
            zeros = zeros + ops.zeros_like(v)
        varying = [v + zeros for v in varying]
    # Each entry times a matrix of zeros and a one: far less to compile than nine
    # arrays side by side.
    units = np.eye(9, dtype="float32")[places].reshape(1, -1, 3, 3)
    varying = ops.stack(varying, axis=-1)[:, :, None, None]
    return ops.sum(varying * ops.convert_to_tensor(units, "float32"), axis=1) + fixed


def identity(batch):
    """The map that moves nothing, `(batch, 3, 3)`."""
    return ops.eye(3, dtype="float32")[None] + ops.zeros((batch, 1, 1), "float32")


def translation(x, y):
    """Shift right by `x` and down by `y` pixels."""
    return matrix([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def scaling(x, y, center=(0.0, 0.0)):
    """Stretch by the factors `x` and `y` about `center = (x, y)`."""
    cx, cy = center
    return matrix([[x, 0.0, cx - cx * x], [0.0, y, cy - cy * y], [0.0, 0.0, 1.0]])


def rotation(turns, center):
    """Counter-clockwise on screen about `center = (x, y)`."""
    angle = turns * (2.0 * math.pi)
    return _turn(ops.cos(angle), ops.sin(angle), center)


def quarter_turns(quarters, center):
    """The same by whole quarters of a turn, `(batch,)` floats, to the bit."""
    step = quarters - 4.0 * ops.floor(quarters / 4.0)
    sin = ops.where(step == 3.0, -1.0, ops.where(step == 1.0, 1.0, 0.0))
    return _turn(ops.abs(step - 2.0) - 1.0, sin, center)


def _turn(cos, sin, center):
    x, y = center
    return matrix(
        [
            [cos, sin, x - x * cos - y * sin],
            [-sin, cos, y + x * sin - y * cos],
            [0.0, 0.0, 1.0],
        ]
    )


def shear(x, y, center):
    """Shift rows right by `x` per row and columns down by `y` per column."""
    cx, cy = center
    return matrix([[1.0, x, -x * cy], [y, 1.0, -y * cx], [0.0, 0.0, 1.0]])


def quadrilateral(corners, height, width):
    """Map the image onto four corners `(batch, 4, 2)`.

    The corners are those of the image's top left, top right, bottom right and
    bottom left.

    Reference: Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989.
    """
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = [
        (corners[:, k, 0], corners[:, k, 1]) for k in range(4)
    ]
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area
    from_square = matrix(
        [
            [x1 - x0 + g * x1, x3 - x0 + h * x3, x0],
            [y1 - y0 + g * y1, y3 - y0 + h * y3, y0],
            [g, h, 1.0],
        ]
    )
    return compose(from_square, scaling(1.0 / width, 1.0 / height))


def compose(second, first):
    """Apply `first`, then `second`."""
    return ops.sum(second[:, :, :, None] * first[:, None, :, :], axis=2)


def inverse(m):
    """Invert in closed form, so that it compiles under XLA on every backend."""

    def turned(x, axis, steps):
        pieces = [x[:, k:n] if axis == 1 else x[:, :, k:n] for k, n in steps]
        return ops.concatenate(pieces, axis=axis)

    once, twice = ((1, 3), (0, 1)), ((2, 3), (0, 2))
    second, third = turned(m, 1, once), turned(m, 1, twice)
    # Cross products of the rows are the columns of the adjugate.
    crossed = turned(second, 2, once) * turned(third, 2, twice)
    crossed = crossed - turned(second, 2, twice) * turned(third, 2, once)
    determinant = ops.sum(m[:, :1] * crossed[:, :1], axis=2)
    return ops.transpose(crossed, (0, 2, 1)) / determinant[:, :, None]


def apply(m, points):
    """Map `(batch, n, 2)` xy points through `(batch, 3, 3)`."""
    x, y = points[..., 0], points[..., 1]
    u, v, w = [
        m[:, k, 0, None] * x + m[:, k, 1, None] * y + m[:, k, 2, None] for k in range(3)
    ]
    return ops.stack([u / w, v / w], axis=-1)
