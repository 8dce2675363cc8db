"""Class labels, and what predictions of classes are worth."""

from typing import Any

from perfkit._backend import keras_ops as ops

LEAST = 1e-7  # probability that a prediction is taken for at least


def are_indices(labels, predictions) -> bool:
    """Whether labels are numbers of classes, not a share of each class.

    Numbers lack the last axis of the predictions, or have 1 there.
    """
    ranks = len(labels.shape), len(predictions.shape)
    return ranks[0] == ranks[1] - 1 or labels.shape[-1] == 1


def indices(labels, predictions) -> Any:
    """Numbers of classes without a last axis of 1."""
    if len(labels.shape) == len(predictions.shape):
        return ops.squeeze(labels, axis=-1)
    return labels


def one_hot(numbers, classes) -> Any:
    """One-hot rows of class numbers, `(..., classes)`; NaN where one is no class."""
    whole = ops.cast(numbers, "int32")
    known = (whole >= 0) & (whole < classes)
    known = known & (ops.cast(whole, numbers.dtype) == numbers)
    rows = ops.one_hot(whole, classes, dtype="float32")
    return ops.where(known[..., None], rows, float("nan"))


def smoothed(shares, smoothing) -> Any:
    """Take a part from the shares of the classes and deal it out to all alike."""
    return shares * (1.0 - smoothing) + smoothing / shares.shape[-1]


def log_probabilities(predictions, *, from_logits, binary=False) -> Any:
    """Logarithms of the probabilities of the classes, along the last axis.

    Args:
        predictions: `(..., classes)`; if `binary`, `(..., labels)`.
        from_logits: Whether `predictions` are logits rather than probabilities.
        binary: Whether each prediction is of one label that holds or does not; the
            outcome is `(..., labels, 2)`.
    """
    if binary and from_logits:
        both = [-ops.softplus(-predictions), -ops.softplus(predictions)]
        return ops.stack(both, axis=-1)
    if from_logits:
        return ops.log_softmax(predictions, axis=-1)
    if binary:
        predictions = ops.stack([predictions, 1.0 - predictions], axis=-1)
    else:
        predictions = predictions / ops.sum(predictions, axis=-1, keepdims=True)
    return ops.log(ops.clip(predictions, LEAST, 1.0 - LEAST))


def entropy(logs) -> Any:
    """Entropy of distributions, from their logarithms, in nats."""
    return -ops.sum(ops.exp(logs) * logs, axis=-1)


def divergence(logs, others) -> Any:
    """Mean of both Kullback-Leibler divergences of distributions, in nats."""
    apart = (ops.exp(logs) - ops.exp(others)) * (logs - others)
    return 0.5 * ops.sum(apart, axis=-1)
