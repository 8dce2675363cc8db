"""JPEG's loss: what encoding and decoding by libjpeg does to images, without files.

Reference: ITU-T T.81, 1992, whose annex K has the tables, and the sources of libjpeg
for the scale of a quality, for the two filters of chroma, and for what is rounded.
"""

import math

import numpy as np

from perfkit._backend import matmul, ops
from perfkit.ops.color import LUMA

_LUMA_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA_TABLE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *[(99,) * 8] * 4,
)
_COSINES = np.array(
    [[math.cos(math.pi * (2 * x + 1) * u / 16) / 2 for x in range(8)] for u in range(8)]
)
_COSINES[0] /= math.sqrt(2.0)
# Of a block of 64 pixels at once: one large product is faster than many small ones.
_TRANSFORM = np.kron(_COSINES, _COSINES).astype("float32")
_TO_CHROMA = ((-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def table(base, quality):
    """Steps of the 64 coefficients, `(batch, 64)`, at `quality`, `(batch,)`."""
    # The halves let no rounding error decide between two whole numbers.
    scale = ops.where(
        quality < 50.0, ops.floor(5000.5 / quality), 200.0 - 2.0 * quality
    )
    base = ops.convert_to_tensor(np.reshape(base, (1, 64)), dtype="float32")
    steps = ops.floor((base * scale[:, None] + 50.5) * 0.01)
    return ops.clip(steps, 1.0, 255.0)


def compress_rgb(images, quality, subsample):
    """Encode and decode colours.

    Args:
        images: float32 `(batch, height, width, 3)`, red, green and blue in 0 to 255.
        quality: libjpeg's, 1 to 100, in whole float32 numbers, `(batch,)`.
        subsample: Whether chroma is kept at half the height and width (4:2:0).
    """
    colors = [_whole(images[..., k]) for k in range(3)]
    y = ops.round(_mixed(LUMA, colors))
    chroma = [ops.round(_mixed(row, colors) + 128.0) for row in _TO_CHROMA]
    y = _compress_plane(y, table(_LUMA_TABLE, quality))
    steps = table(_CHROMA_TABLE, quality)
    if subsample:
        _, height, width = ops.shape(y)
        chroma = [_compress_plane(_halved(plane), steps) for plane in chroma]
        blue, red = [_doubled(plane, height, width) - 128.0 for plane in chroma]
    else:
        blue, red = [_compress_plane(plane, steps) - 128.0 for plane in chroma]
    colors = [y + 1.402 * red, y - 0.344136 * blue - 0.714136 * red, y + 1.772 * blue]
    return _whole(ops.stack(colors, axis=-1))


def compress_gray(images, quality):
    """Encode and decode each channel as an image without colour; see `compress_rgb`."""
    steps = table(_LUMA_TABLE, quality)
    planes = [
        _compress_plane(_whole(images[..., k]), steps) for k in range(images.shape[-1])
    ]
    return ops.stack(planes, axis=-1)


def _whole(x):
    return ops.clip(ops.round(x), 0.0, 255.0)


def _mixed(weights, colors):
    red, green, blue = [w * color for w, color in zip(weights, colors, strict=True)]
    return red + green + blue


def _compress_plane(plane, steps):
    """Round the coefficients of the blocks of `(batch, height, width)`."""
    batch, height, width = ops.shape(plane)
    down, across = (height + 7) // 8, (width + 7) // 8
    plane = _extended(_extended(plane, 1, 8 * down), 2, 8 * across)
    blocks = ops.reshape(plane, (batch, down, 8, across, 8))
    blocks = ops.transpose(blocks, (0, 1, 3, 2, 4))
    blocks = ops.reshape(blocks, (batch, down * across, 64)) - 128.0
    transform = ops.convert_to_tensor(_TRANSFORM, dtype="float32")
    coefficients = matmul(blocks, ops.transpose(transform, (1, 0)))
    steps = steps[:, None, :]
    size = ops.floor(ops.abs(coefficients) / steps + 0.5001) * steps  # halves too
    blocks = matmul(ops.where(coefficients < 0.0, -size, size), transform)
    blocks = ops.reshape(_whole(blocks + 128.0), (batch, down, across, 8, 8))
    blocks = ops.transpose(blocks, (0, 1, 3, 2, 4))
    plane = ops.reshape(blocks, (batch, 8 * down, 8 * across))
    return plane[:, :height, :width]


def _extended(plane, axis, size):
    """Repeat the last row or column until there are `size`."""
    if plane.shape[axis] == size:
        return plane
    return _read(plane, axis, ops.arange(size, dtype="int32"))


def _read(plane, axis, places):
    """Pick rows or columns, the outermost ones for places beyond them."""
    last = ops.shape(plane)[axis] - 1
    return ops.take(plane, ops.clip(places, 0, last), axis=axis)


def _halved(plane):
    """Mean of each 2 x 2 pixels, rounded down and up in turn where it is between."""
    _, height, width = ops.shape(plane)
    rows, columns = (height + 1) // 2, (width + 1) // 2
    plane = _extended(_extended(plane, 1, 2 * rows), 2, 2 * columns)
    plane = plane[:, 0::2] + plane[:, 1::2]
    bias = ops.cast(ops.arange(columns, dtype="int32") % 2, "float32") + 1.0
    return ops.floor((plane[:, :, 0::2] + plane[:, :, 1::2] + bias) * 0.25)


def _doubled(plane, height, width):
    """Read between pixels, three quarters from the nearest on each axis."""
    for axis in (1, 2):
        batch, rows, columns = ops.shape(plane)
        places = ops.arange((rows, columns)[axis - 1], dtype="int32")
        sides = [_read(plane, axis, places + step) for step in (-1, 1)]
        pairs = [0.75 * plane + 0.25 * side for side in sides]
        larger = (batch, 2 * rows, columns) if axis == 1 else (batch, rows, 2 * columns)
        plane = ops.reshape(ops.stack(pairs, axis=axis + 1), larger)
    return ops.round(plane[:, :height, :width])
