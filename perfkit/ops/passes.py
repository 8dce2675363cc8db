"""Several predictions of each sample, next to each other in the batch."""

from typing import Any

from perfkit._backend import keras_ops as ops


def of_samples(values, like) -> Any:
    """Predictions by sample: `(batch * passes, ...)` to `(batch, passes, ...)`.

    `like` is of the samples, `(batch, ...)`.
    """
    return ops.reshape(values, (ops.shape(like)[0], -1, *ops.shape(values)[1:]))


def repeated_like(values, like) -> Any:
    """Repeat each sample's for its predictions: `(batch * passes, ...)`.

    `like` is of the predictions, `(batch * passes, ...)`.
    """
    samples, *rest = ops.shape(values)
    many = ops.shape(like)[0]
    wide = ops.broadcast_to(values[:, None], (samples, many // samples, *rest))
    return ops.reshape(wide, (many, *rest))
