"""How much each channel of a layer matters, by its weights."""

import numpy as np


def l1(weights) -> np.ndarray:
    """Sum of the absolute weights of each channel, `(channels,)`.

    Args:
        weights: `(channels, weights)`.
    """
    return np.abs(weights).sum(axis=1)


def l2(weights) -> np.ndarray:
    """Euclidean norm of each channel, `(channels,)`."""
    return np.sqrt(np.square(weights).sum(axis=1))


def geometric_median(weights) -> np.ndarray:
    """How far each channel lies from all others, summed, `(channels,)`.

    He et al., Filter Pruning via Geometric Median, 2019, arXiv 1811.00250: a channel in
    the middle of the others is the one that they can replace.

    Example:
        >>> geometric_median(np.array([[0.0], [1.0], [5.0]])).tolist()
        [6.0, 5.0, 9.0]
    """
    squares = np.square(weights).sum(axis=1)
    apart = squares[:, None] + squares[None] - 2.0 * weights @ weights.T
    return np.sqrt(np.maximum(apart, 0.0)).sum(axis=1)


def lamp(weights) -> np.ndarray:
    """Squared norms as a share of those that are not smaller, `(channels,)`.

    Lee et al., Layer-adaptive sparsity for the Magnitude-based Pruning, 2021, arXiv
    2010.07611, of channels instead of single weights: such scores can be compared
    between layers.

    Example:
        >>> lamp(np.array([[1.0], [2.0], [3.0]])).round(3).tolist()
        [0.071, 0.308, 1.0]
    """
    squares = np.square(weights).sum(axis=1)
    order = np.argsort(squares, kind="stable")
    remaining = np.cumsum(squares[order][::-1])[::-1]
    scores = np.zeros_like(squares)
    scores[order] = squares[order] / np.where(remaining > 0.0, remaining, 1.0)
    return scores
