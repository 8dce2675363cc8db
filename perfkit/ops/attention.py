"""What layers weigh channels and places by.

Features are `(batch, height, width, channels)`. Sums are made in float32, of float64 in
float64.
"""

import math
from typing import Any

from perfkit._backend import ops
from perfkit.ops import kernels


def mean_of_places(features) -> Any:
    """Mean of each channel, `(batch, channels)`."""
    return ops.mean(kernels.in_float32(features), axis=(1, 2))


def shares(scores, axis) -> Any:
    """Softmax, without Keras's warning where there is a single place."""
    scores = kernels.in_float32(scores)
    largest = ops.max(scores, axis=axis, keepdims=True)
    powers = ops.exp(scores - ops.stop_gradient(largest))
    return powers / ops.sum(powers, axis=axis, keepdims=True)


def context(features, scores) -> Any:
    """Average of the places, weighed by the softmax of scores.

    Args:
        features: `(batch, height, width, channels)`.
        scores: `(batch, height, width, 1)`.

    Returns:
        `(batch, channels)`.
    """
    weights = shares(scores, (1, 2))
    return ops.sum(kernels.in_float32(features) * weights, axis=(1, 2))


def kernel_size(channels, gamma, b) -> int:
    """Odd number of neighbours that grows with the logarithm of the channels."""
    size = int(abs(math.log2(channels) + b) / gamma)
    return max(size if size % 2 else size + 1, 3)


def inverse_energy(features, epsilon) -> Any:
    """How much each place stands out among those of its channel, at least 0.5."""
    features = kernels.in_float32(features)
    squares = ops.square(features - ops.mean(features, axis=(1, 2), keepdims=True))
    others = ops.shape(features)[1] * ops.shape(features)[2] - 1
    others = ops.maximum(ops.cast(others, squares.dtype), 1.0)
    variance = ops.sum(squares, axis=(1, 2), keepdims=True) / others
    return squares / (4.0 * (variance + epsilon)) + 0.5


def dot_product(queries, keys, values, scale, seen=None) -> Any:
    """Average of values, weighed by the softmax of scaled products.

    Args:
        queries: `(..., queries, size)`.
        keys: `(..., places, size)`.
        values: `(..., places, channels)`.
        scale: What products are multiplied by.
        seen: Boolean, `(..., queries, places)` or what goes with it: which places
            count, or `None` for all. At least one does.

    Returns:
        `(..., queries, channels)`, of the dtype of `values`.
    """
    products = ops.matmul(queries, ops.swapaxes(keys, -1, -2))
    scores = kernels.in_float32(products) * scale
    if seen is not None:
        scores = ops.where(seen, scores, ops.full_like(scores, -float("inf")))
    weights = shares(scores, -1)
    return ops.matmul(ops.cast(weights, values.dtype), values)
