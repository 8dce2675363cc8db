"""Losses with a value for each place, of which some do not count."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


class _Seen(keras.losses.Loss):
    """One for each place that Keras's mask leaves over, and zero for the others."""

    def __init__(self):
        # That of the class is no name of a scope of TensorFlow.
        super().__init__(name="seen", reduction="none", dtype="float32")

    def call(self, y_true, y_pred):  # noqa: ARG002
        return ops.ones_like(y_true)


class PlaceLoss(Configured, keras.losses.Loss):
    """Compute in float32, and leave out places that do not count.

    Args:
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.
    """

    def __init__(self, *, reduction, name, dtype):
        owner = type(self).__name__
        _check.one_of(owner, "dtype", dtype, ("float32", "float64"))
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def seen(self, y_true, y_pred) -> Any:  # noqa: ARG002
        """Which places count, 1 or 0, in the shape of the losses of the samples."""
        return _Seen()(y_pred[..., 0], y_pred)

    def averaged(self, seen, y_true, y_pred) -> Any:  # noqa: ARG002
        """The share of all places that an average is over."""
        return ops.mean(seen)

    def __call__(self, y_true, y_pred, sample_weight=None):
        y_true, y_pred = map(ops.convert_to_tensor, (y_true, y_pred))
        weights = self.seen(y_true, y_pred)
        if self.reduction in ("mean", "sum_over_batch_size"):
            # Keras divides by the number of all places.
            over = self.averaged(weights, y_true, y_pred)
            weights = ops.divide_no_nan(weights, over)
        if sample_weight is not None:
            given = ops.cast(sample_weight, "float32")
            while len(given.shape) < len(weights.shape):
                given = given[..., None]
            if len(given.shape) > len(weights.shape):
                given = ops.squeeze(given, axis=-1)
            weights = weights * given
        # A copy has no mask, which is in the weights already.
        return super().__call__(y_true, ops.copy(y_pred), weights)
