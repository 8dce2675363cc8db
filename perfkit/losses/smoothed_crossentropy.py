"""Cross-entropy of labels in any form, smoothed."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.losses.classification import ClassificationLoss
from perfkit.ops import classes


@keras.saving.register_keras_serializable(package="perfkit")
class SmoothedCrossentropy(ClassificationLoss):
    """Cross-entropy with smoothed labels, which may be numbers or shares of classes.

    So the same loss serves integer labels, and what MixUp and CutMix make of them: it
    goes by the shape. Smoothing takes a part of the certainty of each label, and deals
    it out to all classes alike.

    A number that is no class makes the loss NaN rather than something that looks right.

    Args:
        label_smoothing: The part that is dealt out. Within [0, 1].
        from_logits: Whether predictions are logits rather than probabilities.
        ignore_class: Number that marks places without a label, such as -1 or 255, or
            `None`. They do not count in the average.
        class_weights: What an error costs, a number of at least 0 for each class, or
            `None` for 1. It is applied after the smoothing. In the average each sample
            counts as one, whatever its class.
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.

    Shape:
        Labels `(batch, ...)` or `(batch, ..., 1)` of class numbers, or
        `(batch, ..., classes)` of shares; predictions `(batch, ..., classes)`.

    Raises:
        ValueError: If an argument is out of bounds; at the call, if labels and
            predictions do not fit.

    Example:
        >>> loss = SmoothedCrossentropy(0.1, from_logits=True)
        >>> logits = [[0.0, 3.0], [3.0, 0.0]]
        >>> round(float(loss([1, 0], logits)), 4)
        0.1986
        >>> round(float(loss([[0.0, 1.0], [1.0, 0.0]], logits)), 4)
        0.1986

    Reference: Szegedy et al., Rethinking the Inception Architecture, 2015, arXiv
        1512.00567.
    """

    def __init__(
        self,
        label_smoothing=0.1,
        *,
        from_logits=False,
        ignore_class=None,
        class_weights=None,
        reduction="sum_over_batch_size",
        name="smoothed_crossentropy",
        dtype="float32",
    ):
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        owner = "SmoothedCrossentropy"
        self.label_smoothing = _check.unit(owner, "label_smoothing", label_smoothing)
        self.from_logits = _check.boolean(owner, "from_logits", from_logits)
        if ignore_class is not None:
            ignore_class = _check.integer(
                owner, "ignore_class", ignore_class, -(2**24), 2**24
            )
        self.ignore_class = ignore_class
        if class_weights is not None:
            class_weights = _check.sizes(owner, "class_weights", class_weights)
        self.class_weights = class_weights

    def _shares(self, y_true, y_pred):
        """Shares of the classes, `(..., classes)`, smoothed."""
        count = y_pred.shape[-1]
        if classes.are_indices(y_true, y_pred):
            y_true = classes.one_hot(classes.indices(y_true, y_pred), count)
        elif tuple(y_true.shape[1:]) != tuple(y_pred.shape[1:]):
            raise ValueError(
                f"{self.name}: labels must be numbers of classes or a share for "
                f"each of {count} classes. Received: labels of shape "
                f"{tuple(y_true.shape)}, predictions of {tuple(y_pred.shape)}"
            )
        return classes.smoothed(y_true, self.label_smoothing)

    def call(self, y_true, y_pred):
        if self.ignore_class is not None and classes.are_indices(y_true, y_pred):
            # Whatever is there is to count for nothing, NaN included.
            y_true = classes.indices(y_true, y_pred)
            kept = y_true != self.ignore_class
            y_true = ops.where(kept, y_true, 0.0)
            y_pred = ops.where(kept[..., None], y_pred, 1.0)
        shares = self._shares(y_true, y_pred)
        if self.class_weights is not None:
            shares = shares * ops.convert_to_tensor(self.class_weights, shares.dtype)
        logs = classes.log_probabilities(y_pred, from_logits=self.from_logits)
        return -ops.sum(shares * logs, axis=-1)
