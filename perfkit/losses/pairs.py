"""The family of losses of the similarities within a batch of pairs."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


class PairsLoss(Configured, keras.losses.Loss):
    """Abstract: find the partner of each sample among all those of the batch.

    The model ends in `layers.SimilarityHead`, whose temperature is trained with it.
    Labels are not looked at, but Keras needs an array with an entry for each pair. The
    cost of a pair depends on the batch, and with `tf.distribute` on the part of it that
    the replica has. A sample weight is a factor of a pair's own cost, and leaves what
    it is to others.

    Args:
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the similarities come in.
    """

    def __init__(self, *, reduction, name, dtype):
        owner = type(self).__name__
        _check.one_of(owner, "dtype", dtype, ("float32", "float64"))
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def costs(self, logits) -> Any:
        """Operation: cost of each pair, from logits `(batch, batch)`."""
        raise NotImplementedError

    def call(self, y_true, y_pred):
        shape = tuple(y_pred.shape)
        if len(shape) != 2 or (None not in shape and shape[0] != shape[1]):
            raise ValueError(
                f"{self.name}: predictions must be similarities `(batch, batch)`, as "
                f"`layers.SimilarityHead` gives them. Received: shape {shape}"
            )
        labels, pairs = y_true.shape[:1], shape[:1]
        if None not in (*labels, *pairs) and labels != pairs:
            raise ValueError(
                f"{self.name}: there must be one label for each pair. Received: labels "
                f"of shape {tuple(y_true.shape)}, similarities of {shape}"
            )
        return ops.cast(self.costs(y_pred), self.dtype)
