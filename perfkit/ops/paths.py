"""Where pixels go: homographies, and between them fields of displacements.

Any number of them is one path, along which an image is resampled once.
"""

from typing import Any, NamedTuple

from perfkit._backend import ops
from perfkit.ops import affine, boxes, fields

_HORIZON = 1e-6
_EDGE = 16  # points on each side of a box that is bent


class Bend(NamedTuple):
    """A homography, or none, and a field over the frame that it leads to."""

    matrix: Any
    affine: bool
    grid: Any
    size: tuple[Any, Any]


class Path(NamedTuple):
    """Bends, and a homography after them, or none."""

    bends: tuple[Bend, ...]
    matrix: Any
    affine: bool  # whether the last row of `matrix` is 0, 0, 1


def straight(matrix, affine):
    """A path through one homography, `(batch, 3, 3)`."""
    return Path((), matrix, affine)


def bent(grid, size):
    """A path through a field over a frame of `size`, height and width."""
    return Path((Bend(None, True, grid, size),), None, True)


def join(first, second):
    """Go along `first`, then along `second`."""
    if not second.bends:
        if second.matrix is None or first.matrix is None:
            matrix = first.matrix if second.matrix is None else second.matrix
        else:
            matrix = affine.compose(second.matrix, first.matrix)
        return Path(first.bends, matrix, first.affine and second.affine)
    bend, *others = second.bends
    before = join(first, Path((), bend.matrix, bend.affine))
    bend = bend._replace(matrix=before.matrix, affine=before.affine)
    return Path((*before.bends, bend, *others), second.matrix, second.affine)


def part(path, k):
    """The path of one image of a batch, in a batch of its own."""

    def only(x):
        return None if x is None else x[k : k + 1]

    bends = [
        bend._replace(matrix=only(bend.matrix), grid=only(bend.grid))
        for bend in path.bends
    ]
    return path._replace(bends=tuple(bends), matrix=only(path.matrix))


def sources(path, height, width):
    """Where each pixel's centre comes from: x and y, `(batch, height, width)`."""
    x = ops.arange(width, dtype="float32")[None, None, :] + 0.5
    y = ops.arange(height, dtype="float32")[None, :, None] + 0.5
    regular, seen = path.matrix is None, []
    if not regular:
        x, y = _project(path.matrix, path.affine, x, y, seen)
    for bend in reversed(path.bends):
        if regular:
            dx, dy = fields.over(bend.grid, height, width)
        else:
            dx, dy = fields.at(bend.grid, x, y, *bend.size)
        x, y, regular = x + dx, y + dy, False
        if bend.matrix is not None:
            x, y = _project(bend.matrix, bend.affine, x, y, seen)
    for visible in seen:
        x, y = ops.where(visible, x, -1e6), ops.where(visible, y, -1e6)
    return x, y


def _project(matrix, affine_only, x, y, seen):
    inverse = affine.inverse(matrix)
    u, v, w = [
        inverse[:, k, 0, None, None] * x
        + (inverse[:, k, 1, None, None] * y + inverse[:, k, 2, None, None])
        for k in range(3)
    ]
    if affine_only:
        return u, v
    # Beyond the horizon of a perspective nothing is seen: w <= 0.
    visible = w > _HORIZON
    seen.append(visible)
    w = ops.where(visible, w, 1.0)
    return u / w, v / w


def move(path, points):
    """Send points `(batch, n, 2)` along the path."""
    for bend in path.bends:
        if bend.matrix is not None:
            points = affine.apply(bend.matrix, points)
        points = fields.invert(bend.grid, points, *bend.size)
    return points if path.matrix is None else affine.apply(path.matrix, points)


def destinations(path, height, width):
    """Where each pixel's centre goes: x and y, `(batch, height, width)`."""
    x = ops.arange(width, dtype="float32")[None, :] + 0.5
    y = ops.arange(height, dtype="float32")[:, None] + 0.5
    zeros = ops.zeros_like(x + y)
    points = ops.reshape(ops.stack([x + zeros, y + zeros], axis=-1), (1, -1, 2))
    moved = move(path, points + ops.zeros_like(_first(path)[:, :1, :1]))
    moved = ops.reshape(moved, (-1, height, width, 2))
    return moved[..., 0], moved[..., 1]


def back(path, points):
    """Where points `(batch, n, 2)` of the end of the path come from."""
    if path.matrix is not None:
        points = affine.apply(affine.inverse(path.matrix), points)
    for bend in reversed(path.bends):
        x, y = points[:, None, :, 0], points[:, None, :, 1]
        dx, dy = fields.at(bend.grid, x, y, *bend.size)
        points = ops.stack([(x + dx)[:, 0], (y + dy)[:, 0]], axis=-1)
        if bend.matrix is not None:
            points = affine.apply(affine.inverse(bend.matrix), points)
    return points


def _first(path):
    """Some `(batch, n, m)` tensor of the path's batch."""
    return path.matrix if path.matrix is not None else path.bends[0].grid[..., 0]


def move_boxes(path, corners):
    """Axis-aligned hull of each moved box, `(batch, n, 4)`."""
    if not path.bends:
        return boxes.transform(corners, path.matrix)
    return _hull(lambda points: move(path, points), corners)


def boxes_back(path, corners):
    """Axis-aligned hull of each box sent the way back, `(batch, n, 4)`."""
    if not path.bends:
        return boxes.transform(corners, affine.inverse(path.matrix))
    return _hull(lambda points: back(path, points), corners)


def _hull(function, corners):
    batch, n, _ = ops.shape(corners)
    outline = boxes.outline(corners, _EDGE)
    moved = function(ops.reshape(outline, (batch, n * 4 * _EDGE, 2)))
    return boxes.around(ops.reshape(moved, (batch, n, 4 * _EDGE, 2)))
