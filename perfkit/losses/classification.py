"""The family of losses of class labels."""

from typing import Any

from perfkit._backend import ops
from perfkit.losses._places import PlaceLoss
from perfkit.ops import classes


class ClassificationLoss(PlaceLoss):
    """Compute in float32, and leave out places that do not count.

    These are the places of a class that is to be ignored, and those that a mask of the
    predictions leaves out. They cost nothing and do not count in the average.

    Args:
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.
    """

    ignore_class: Any = None  # number of a class, among labels that are numbers

    def seen(self, y_true, y_pred) -> Any:
        seen = super().seen(y_true, y_pred)
        if self.ignore_class is not None and classes.are_indices(y_true, y_pred):
            numbers = ops.cast(classes.indices(y_true, y_pred), "float32")
            seen = seen * ops.cast(numbers != self.ignore_class, "float32")
        return seen
