"""Feature maps of several sizes, `(batch, height, width, channels)`, brought together.

A map is half as large as the one before it, rounded up or down.
"""

from typing import Any

import numpy as np

from perfkit._backend import keras_ops as ops

EPSILON = 1e-4  # of shares, as in the paper


def doubled(x) -> Any:
    """Each place four times, in a square."""
    batch, height, width, channels = ops.shape(x)
    # Copies side by side are faster than a gather, and so is their gradient.
    rows = ops.reshape(
        ops.concatenate([x, x], axis=-1), (batch, height, 2 * width * channels)
    )
    twice = ops.concatenate([rows, rows], axis=-1)
    return ops.reshape(twice, (batch, 2 * height, 2 * width, channels))


def cropped(x, like) -> Any:
    """The first rows and columns, as many as another map has."""
    height, width = ops.shape(like)[1:3]
    return x[:, :height, :width]


def enlarged(x, like) -> Any:
    """The nearest place of a map for each place of a finer one.

    Args:
        x: The coarser map.
        like: The finer one. Where its size is not known before the program runs, it is
            taken to be twice as large, or one less.
    """
    pairs = list(zip(x.shape[1:3], like.shape[1:3], strict=True))
    if all(None in pair or pair[1] in (2 * pair[0], 2 * pair[0] - 1) for pair in pairs):
        return cropped(doubled(x), like)
    for axis, (size, wanted) in enumerate(pairs, 1):
        nearest = np.arange(wanted) * size // wanted
        x = ops.take(x, nearest.astype("int32"), axis=axis)
    return x


def weighed(maps, weights) -> Any:
    """Mean of maps of one size, by weights of which what is below 0 counts as 0.

    Args:
        maps: A list of them.
        weights: As many numbers, `(count,)`.

    Reference: Tan et al., EfficientDet, 2019, arXiv 1911.09070.
    """
    weights = ops.relu(ops.cast(weights, "float32"))
    shares = ops.cast(weights / (ops.sum(weights) + EPSILON), maps[0].dtype)
    return sum(x * shares[k] for k, x in enumerate(maps))
