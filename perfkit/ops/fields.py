"""Fields of displacements, float32 `(batch, rows, columns, 2)`, x and y in pixels.

A field says how far from each place of the output that place is read. Its nodes lie
evenly on a frame, the first and last ones on its edges; between nodes it is
bilinear, and beyond the frame constant.
"""

import functools
import math

import numpy as np

from perfkit._backend import gather_pixels, matmul, ops
from perfkit.ops import noise

_STEEPEST = 0.75  # of a tamed field, in pixels per pixel
_ITERATIONS = 16  # 0.75 ** 16 is a hundredth
_NODES = 8  # a cell of the control grid


def over(grid, height, width):
    """Displacements of all pixels of the frame, x and y each `(batch, height, width)`.

    Two products with small matrices, without a gather.
    """
    _, rows, columns, _ = ops.shape(grid)
    vertical, horizontal = _hats(height, rows), _hats(width, columns)
    grid = ops.transpose(grid, (0, 3, 1, 2))
    spread = matmul(matmul(vertical, grid), ops.transpose(horizontal, (1, 0)))
    return spread[:, 0], spread[:, 1]


def _hats(size, nodes):
    """Weights of the nodes of one axis in each pixel, `(size, nodes)`."""
    position = (ops.arange(size, dtype="float32") + 0.5) * ((nodes - 1) / _float(size))
    distance = position[:, None] - ops.arange(nodes, dtype="float32")[None, :]
    return ops.maximum(1.0 - ops.abs(distance), 0.0)


def at(grid, x, y, height, width):
    """Displacements at places `(batch, n, m)` of the frame, x and y each alike."""
    _, rows, columns, _ = ops.shape(grid)
    left, across = _cell(x, _float(width), columns)
    top, down = _cell(y, _float(height), rows)
    shift = 0.0
    for row, weight in ((top, 1.0 - down), (top + 1, down)):
        for column, share in ((left, 1.0 - across), (left + 1, across)):
            node = gather_pixels(grid, row * columns + column)
            shift = shift + node * (weight * share)[..., None]
    return shift[..., 0], shift[..., 1]


def _cell(place, size, nodes):
    """Index of the node before a place on one axis, and how far it is past it."""
    position = place * ((nodes - 1) / size)
    # NaN reads the first node; `clip` would keep it.
    position = ops.where(position > 0.0, ops.minimum(position, nodes - 1.0), 0.0)
    before = ops.minimum(ops.floor(position), nodes - 2.0)
    return ops.cast(before, "int32"), position - before


def invert(grid, points, height, width):
    """Where points `(batch, n, 2)` of the input are seen in the output.

    A tamed field is a contraction, so that its fixed point is approached from
    anywhere: in 16 steps to within a hundredth of the greatest displacement, of
    fields of usual strength to within rounding.
    """
    x, y = points[:, None, :, 0], points[:, None, :, 1]

    def step(_, place):
        dx, dy = at(grid, place[0], place[1], height, width)
        return x - dx, y - dy

    place = ops.fori_loop(0, _ITERATIONS, step, (x, y))
    return ops.stack([place[0][:, 0], place[1][:, 0]], axis=-1)


def tame(grid, height, width):
    """Weaken the fields of samples in which the image would fold, or nearly so.

    Neighbouring places of the output then read places in the same order.
    """
    _, rows, columns, _ = ops.shape(grid)
    across = ops.abs(grid[:, :, 1:] - grid[:, :, :-1]) * ((columns - 1) / _float(width))
    down = ops.abs(grid[:, 1:] - grid[:, :-1]) * ((rows - 1) / _float(height))
    steep = ops.maximum(across[:, 1:], across[:, :-1])
    steep = steep + ops.maximum(down[:, :, 1:], down[:, :, :-1])
    steepest = ops.max(steep, axis=(1, 2, 3))
    share = _STEEPEST / ops.maximum(steepest, _STEEPEST)
    return grid * share[:, None, None, None]


def waves(bits, steps):
    """Smooth noise of deviation 1, without a direction: a cubic spline.

    The control grid has `steps` cells along each side, with a normal number in x and
    y at each of its corners.
    """
    controls = noise.normal(bits, 2, steps + 3, steps + 3)
    spread = _splines(steps)
    nodes = matmul(matmul(spread, controls), spread.T)
    return ops.transpose(nodes, (0, 2, 3, 1))


@functools.cache
def _splines(steps):
    """Weights of the controls in each node, whose squares sum to 1 on average."""
    position = np.arange(_NODES * steps + 1)[:, None] / _NODES
    distance = np.abs(position - (np.arange(steps + 3)[None, :] - 1.0))
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = np.maximum(2.0 - distance, 0.0) ** 3 / 6
    weights = np.where(distance < 1.0, near, far) / math.sqrt(151 / 315)
    return weights.astype("float32")


def stretches(horizontal, vertical, height, width):
    """Make the cells of a regular grid read cells of other sizes.

    `horizontal` and `vertical`, `(batch, steps)`, are widths and heights, all
    positive, whose sum is made to fit the image.
    """
    x, y = _edges(horizontal), _edges(vertical)
    steps = x.shape[1] - 1
    zeros = ops.zeros((1, steps + 1, steps + 1), "float32")
    x, y = x[:, None, :] * width + zeros, y[:, :, None] * height + zeros
    return ops.stack([x, y], axis=-1)


def _edges(sizes):
    """Shift of each edge between cells, as a fraction of the whole."""
    steps = sizes.shape[1]
    share = sizes / ops.sum(sizes, axis=1)[:, None] - 1.0 / steps
    before = np.tri(steps + 1, steps, -1, "float32").T
    return ops.sum(share[:, :, None] * before[None], axis=1)


def plate(bits, points):
    """A thin plate bent by normal numbers on a lattice of `points ** 2` places."""
    bend = _plate(points)
    shifts = noise.normal(bits, points * points, 2)
    nodes = _NODES * (points - 1) + 1
    return ops.reshape(matmul(bend, shifts), (-1, nodes, nodes, 2))


@functools.cache
def _plate(points):
    """Height of a thin plate at each node, for a unit shift of each control point.

    The control points do not move, so the linear system is solved once.
    """
    controls = _lattice(points)
    affine = np.pad(controls, ((0, 0), (1, 0)), constant_values=1.0)
    count = len(controls)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _energy(controls, controls)
    system[:count, count:] = affine
    system[count:, :count] = affine.T
    solved = np.linalg.solve(system, np.eye(count + 3, count))
    nodes = _lattice(_NODES * (points - 1) + 1)
    affine = np.pad(nodes, ((0, 0), (1, 0)), constant_values=1.0)
    heights = np.concatenate([_energy(nodes, controls), affine], axis=1) @ solved
    return heights.astype("float32")


def _lattice(points):
    """Places of a square lattice over the unit square, `(points ** 2, 2)`, x first."""
    y, x = np.meshgrid(*[np.linspace(0.0, 1.0, points)] * 2, indexing="ij")
    return np.stack([x.ravel(), y.ravel()], axis=-1)


def _energy(places, centers):
    square = ((places[:, None] - centers[None]) ** 2).sum(axis=-1)
    return square * np.log(np.maximum(square, 1e-300)) / 2


def _float(size):
    return size if isinstance(size, (int, float)) else ops.cast(size, "float32")
