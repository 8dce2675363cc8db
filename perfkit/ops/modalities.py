"""What layers that join modalities compute."""

import math

from perfkit._backend import dtype_of
from perfkit._backend import keras_ops as ops


def wide(x):
    """A tensor in float32, or float64 if it is: for sums and exponentials."""
    return x if dtype_of(x) == "float64" else ops.cast(x, "float32")


def hidden(x, seen, value=0):
    """A tensor with `value` wherever `seen`, of its first axes, is false.

    No gradient reaches what is hidden, and what it holds does not matter.
    """
    rank = len(x.shape)
    while len(seen.shape) < rank:
        seen = ops.expand_dims(seen, -1)
    return ops.where(seen, x, ops.full_like(x, value))


def shares(scores, seen, axis=-1):
    """Softmax over what is seen, at least float32; zeros where nothing is.

    Args:
        scores: Numbers of any sign.
        seen: Boolean that broadcasts to `scores`, or `None` for all of them.
        axis: Axis over which the shares sum to 1.
    """
    scores = wide(scores)
    if seen is None:
        seen = ops.ones_like(scores, dtype="bool")
    low = ops.where(seen, scores, ops.full_like(scores, -1e30))
    top = ops.stop_gradient(ops.max(low, axis=axis, keepdims=True))
    powers = ops.where(seen, ops.exp(low - top), ops.zeros_like(scores))
    total = ops.sum(powers, axis=axis, keepdims=True)
    return powers / ops.where(total > 0, total, ops.ones_like(total))


def attended(queries, keys, values, seen, heads):
    """Values averaged by scaled products of queries and keys, in several heads.

    Args:
        queries: `(batch, places, channels)`.
        keys: `(batch, steps, channels)`.
        values: `(batch, steps, channels)`.
        seen: Boolean `(batch, steps)`, or `None`.
        heads: A divisor of the channels; each head has its part of them.

    Returns:
        `(batch, places, channels)`; zeros where no step is seen.
    """

    def split(x):
        size = x.shape[-1] // heads
        return ops.reshape(x, (-1, ops.shape(x)[1], heads, size))

    queries, keys, values = split(queries), split(keys), split(values)
    scores = ops.einsum("bqhc,bkhc->bhqk", queries, keys)
    scores = wide(scores) / math.sqrt(queries.shape[-1])
    weights = shares(scores, None if seen is None else seen[:, None, None, :])
    weights = ops.cast(weights, dtype_of(values))
    found = ops.einsum("bhqk,bkhc->bqhc", weights, values)
    return ops.reshape(found, (-1, ops.shape(found)[1], heads * values.shape[-1]))


def outer(vectors):
    """Products of one entry of each vector, all of them, flattened.

    Args:
        vectors: List of `(batch, channels)`.
    """
    product, *others = vectors
    for vector in others:
        size = product.shape[-1] * vector.shape[-1]
        product = ops.reshape(product[:, :, None] * vector[:, None, :], (-1, size))
    return product
