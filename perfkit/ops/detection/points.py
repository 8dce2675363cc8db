"""Places of the maps of a pyramid, in pixels of the image."""

import numpy as np


def sizes(height, width, strides):
    """Rows and columns of the map of each stride: what is left over makes another."""
    return [(-(-height // stride), -(-width // stride)) for stride in strides]


def points(height, width, strides):
    """Centres of the places of each map, row by row, one map after the other.

    Args:
        height: Rows of the image, in pixels.
        width: Columns of the image, in pixels.
        strides: Pixels from one place of a map to the next, one number for each map.

    Returns:
        Float32 `(n, 2)`, x and y in pixels, and the stride of each, `(n,)`.
    """
    locations, stride_of = [], []
    for stride, (rows, columns) in zip(
        strides, sizes(height, width, strides), strict=True
    ):
        y, x = np.mgrid[:rows, :columns]
        places = np.stack([x.ravel(), y.ravel()], axis=-1)
        locations.append((places + 0.5) * stride)
        stride_of.append(np.full(rows * columns, stride))
    return (
        np.concatenate(locations).astype("float32"),
        np.concatenate(stride_of).astype("float32"),
    )


def ranges(stride_of, factor=8.0):
    """How far the edges of a box may be from a point whose map is to find it.

    The farthest of four edges, in pixels: up to `factor` strides, and more than the
    map before has. The first map has no least, the last no most.

    Returns:
        Float32 `(n, 2)`, of the points whose strides are `stride_of`, `(n,)`.

    Reference: Tian et al., FCOS, 2019, arXiv 1904.01355, with 8 strides: 64, 128, 256
        and 512 pixels between the maps of strides 8 to 128.
    """
    strides, place = np.unique(np.asarray(stride_of), return_inverse=True)
    edges = np.concatenate([[0.0], strides[:-1] * factor, [np.inf]])
    return np.stack([edges[place], edges[place + 1]], axis=-1).astype("float32")
