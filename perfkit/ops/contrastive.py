"""What embeddings that belong together, and others, cost."""

from typing import Any

from perfkit._backend import keras_ops as ops

_NEVER = -1e30  # a logit whose exponential is 0, and whose products are finite


def directions(x, axis=-1) -> Any:
    """Vectors of length 1; one of zeros stays, and gets no gradient."""
    squares = ops.sum(ops.square(x), axis=axis, keepdims=True)
    is_long = squares > 1e-24
    return x * ops.where(is_long, ops.rsqrt(ops.where(is_long, squares, 1.0)), 0.0)


def _same(x):
    """Where two of a vector are equal, 1 or 0: `(n, n)`."""
    return ops.cast(x[:, None] == x[None, :], "float32")


def _is_pair(logits):
    return _same(ops.arange(ops.shape(logits)[0]))


def softmax_pairs(logits) -> Any:
    """Cross-entropy of the right partner, mean of both directions, `(batch,)`.

    Args:
        logits: `(batch, batch)`, of which the diagonal are the right partners.
    """
    pair = ops.cast(_is_pair(logits), logits.dtype)
    right = ops.sum(logits * pair, axis=1)
    of_rows = ops.logsumexp(logits, axis=1)
    of_columns = ops.logsumexp(logits, axis=0)
    return 0.5 * (of_rows + of_columns) - right


def sigmoid_pairs(logits) -> Any:
    """Cost of telling each pair right or wrong by itself, `(batch,)`.

    It is the sum of a row and a column of the pairs, over 2.

    Args:
        logits: `(batch, batch)`, of which the diagonal are the right partners.
    """
    sign = 2.0 * ops.cast(_is_pair(logits), logits.dtype) - 1.0
    costs = ops.softplus(-sign * logits)
    return 0.5 * (ops.sum(costs, axis=1) + ops.sum(costs, axis=0))


def same_label(vectors, labels, temperature, lonely) -> Any:
    """Cost of each vector among all others, `(n,)`.

    Args:
        vectors: `(n, channels)`, of any length.
        labels: `(n,)`; those of one label belong together.
        temperature: What cosines are divided by.
        lonely: The cost of a vector that no other belongs to.
    """
    vectors = directions(vectors)
    itself = _same(ops.arange(ops.shape(vectors)[0])) > 0
    logits = ops.matmul(vectors, ops.transpose(vectors)) / temperature
    logits = ops.where(itself, _NEVER, logits)
    partners = ops.where(itself, 0.0, _same(labels))
    partners = ops.cast(partners, logits.dtype)
    many = ops.sum(partners, axis=1)
    costs = ops.logsumexp(logits, axis=1, keepdims=True) - logits
    mean = ops.sum(partners * costs, axis=1) / ops.maximum(many, 1.0)
    return ops.where(many > 0, mean, lonely)
