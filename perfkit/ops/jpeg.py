"""JPEG's loss: what encoding and decoding by libjpeg does to images, without files.

Reference: ITU-T T.81, 1992, whose annex K has the tables; Loeffler et al., Practical
Fast 1-D DCT Algorithms with 11 Multiplications, 1989; and the sources of libjpeg for
the scale of a quality, for the two filters of chroma, and for what is rounded.
"""

import numpy as np

from perfkit._backend import matmul, ops

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


def _cosines():
    """The transform of 8 values as libjpeg has it, sqrt(8) times the usual one.

    Its constants are rounded to 13 bits, which decides what is rounded to where.
    """

    def times(factor, values):
        return round(factor * 2**13) / 2**13 * values

    x = np.eye(8)
    even, odd = x[:4] + x[:3:-1], x[:4] - x[:3:-1]
    outer, inner = even[:2] + even[:1:-1], even[:2] - even[:1:-1]
    turned = times(0.541196100, inner[0] + inner[1])
    a, b, c, d = odd[::-1]
    both = times(1.175875602, a + b + c + d)
    ac = both - times(1.961570560, a + c)
    bd = both - times(0.390180644, b + d)
    ad, bc = -times(0.899976223, a + d), -times(2.562915447, b + c)
    return np.array(
        [
            outer[0] + outer[1],
            times(1.501321110, d) + ad + bd,
            turned + times(0.765366865, inner[0]),
            times(3.072711026, c) + bc + ac,
            outer[0] - outer[1],
            times(2.053119869, b) + bc + bd,
            turned - times(1.847759065, inner[1]),
            times(0.298631336, a) + ad + ac,
        ]
    )


# Of a block of 64 pixels at once: one large product is faster than many small ones.
_ALONG = np.kron(np.eye(8), _cosines()).astype("float32")
_DOWN = np.kron(_cosines(), np.eye(8)).astype("float32")
# Of red, green and blue, in parts of 2**16.
_ONE = 2.0**16
_TO_LUMA = (19595.0, 38470.0, 7471.0)
_TO_CHROMA = ((-11059.0, -21709.0, 32768.0), (32768.0, -27439.0, -5329.0))


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
    y = _scaled(_mixed(_TO_LUMA, colors))
    chroma = [128.0 + _scaled(_mixed(row, colors) - 1.0) for row in _TO_CHROMA]
    y = _compress_plane(y, table(_LUMA_TABLE, quality))
    steps = table(_CHROMA_TABLE, quality)
    if subsample:
        _, height, width = ops.shape(y)
        chroma = [_compress_plane(_halved(plane), steps) for plane in chroma]
        seen = (width + 1) // 2
        chroma = [_doubled(plane[:, :, :seen], height, width) for plane in chroma]
        blue, red = [plane - 128.0 for plane in chroma]
    else:
        blue, red = [_compress_plane(plane, steps) - 128.0 for plane in chroma]
    green = -22554.0 * blue - 46802.0 * red
    changes = [_scaled(x) for x in (91881.0 * red, green, 116130.0 * blue)]
    return _whole(ops.stack([y + change for change in changes], axis=-1))


def compress_gray(images, quality):
    """Encode and decode each channel as an image without colour; see `compress_rgb`."""
    steps = table(_LUMA_TABLE, quality)
    planes = [
        _compress_plane(_whole(images[..., k]), steps) for k in range(images.shape[-1])
    ]
    return ops.stack(planes, axis=-1)


def _whole(x):
    return ops.clip(ops.round(x), 0.0, 255.0)


def _scaled(x):
    """Parts of 2**16 as whole numbers, halves up; all is exact in float32."""
    return ops.floor((x + 0.5 * _ONE) * (1.0 / _ONE))


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
    # Rounded where libjpeg rounds: rows in quarters, coefficients in eighths.
    rows = _nearest(_product(blocks, _ALONG.T) * 4.0)
    coefficients = _nearest(_product(rows, _DOWN.T) * 0.25)
    steps = steps[:, None, :]
    size = ops.floor(ops.abs(coefficients) / (8.0 * steps) + 0.50001) * steps
    kept = ops.where(coefficients < 0.0, -size, size)
    columns = _nearest(_product(kept, _DOWN) * 4.0)
    blocks = _nearest(_product(columns, _ALONG) * (1.0 / 32.0))
    blocks = ops.clip(blocks + 128.0, 0.0, 255.0)
    blocks = ops.reshape(blocks, (batch, down, across, 8, 8))
    blocks = ops.transpose(blocks, (0, 1, 3, 2, 4))
    plane = ops.reshape(blocks, (batch, 8 * down, 8 * across))
    return plane[:, :height, :width]


def _product(x, matrix):
    return matmul(x, ops.convert_to_tensor(matrix, dtype="float32"))


def _nearest(x):
    """Round to whole numbers, halves up."""
    return ops.floor(x + 0.5)


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
    # To the right whole blocks are filled with the last pixels, not with their mean.
    rows, columns = (height + 1) // 2, 8 * ((width + 15) // 16)
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
        pairs = [3.0 * plane + side for side in sides]
        larger = (batch, 2 * rows, columns) if axis == 1 else (batch, rows, 2 * columns)
        plane = ops.reshape(ops.stack(pairs, axis=axis + 1), larger)
    # Halves are rounded up in one column and down in the next.
    bias = 8.0 - ops.cast(ops.arange(width, dtype="int32") % 2, "float32")
    return ops.floor((plane[:, :height, :width] + bias) * (1.0 / 16.0))
