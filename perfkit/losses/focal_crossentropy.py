"""Cross-entropy of detectors, in which background is most of what there is."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.losses.classification import ClassificationLoss
from perfkit.ops import classes
from perfkit.ops.detection import focal

_BACKGROUND = -1.0


@keras.saving.register_keras_serializable(package="perfkit")
class FocalCrossentropy(ClassificationLoss):
    """Cost little where it is easy, so that the mass of background leaves room.

    Each class has a sigmoid by itself, and background is none of them. A place costs
    the sum over its classes, and the average is over the places that have a class, as
    the paper has it: what a detector pays does not depend on how many anchors it has.

    Beside `keras.losses.BinaryFocalCrossentropy`: numbers as labels, places to ignore,
    this average in place of that over places and classes, and a slope at logits beyond
    16, where Keras cuts the probabilities off.

    Args:
        alpha: Weight of a class that is there; of one that is not it is `1 - alpha`.
            Within [0, 1], or `None` for 1 of both.
        gamma: Power of what a prediction is off by. At least 0, which is no focus.
        from_logits: Whether predictions are logits rather than probabilities.
        ignore_class: Number that marks places that do not count, or `None`.
        per_positive: Whether a reduction that averages divides by the number of places
            with a class, at least 1, rather than by that of all places that count.
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.

    Shape:
        Labels `(batch, ...)` or `(batch, ..., 1)` of class numbers, -1 for background,
        or `(batch, ..., classes)` of shares; predictions `(batch, ..., classes)`.

    Raises:
        ValueError: If an argument is out of bounds; at the call, if labels and
            predictions do not fit.

    Example:
        >>> loss = FocalCrossentropy(from_logits=True)
        >>> labels = [[1, -1, -2]]  # a class, background, and a place to ignore
        >>> logits = [[[-3.0, 3.0], [-3.0, -3.0], [9.0, 9.0]]]
        >>> round(float(loss(labels, logits)), 6)
        0.000273

    Reference: Lin et al., Focal Loss for Dense Object Detection, 2017, arXiv
        1708.02002.
    """

    def __init__(
        self,
        alpha=0.25,
        gamma=2.0,
        *,
        from_logits=False,
        ignore_class=-2,
        per_positive=True,
        reduction="sum_over_batch_size",
        name="focal_crossentropy",
        dtype="float32",
    ):
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        owner = "FocalCrossentropy"
        self.alpha = None if alpha is None else _check.unit(owner, "alpha", alpha)
        self.gamma = _check.number(owner, "gamma", gamma, 0.0)
        self.from_logits = _check.boolean(owner, "from_logits", from_logits)
        if ignore_class is not None:
            ignore_class = _check.integer(
                owner, "ignore_class", ignore_class, -(2**24), 2**24
            )
            if ignore_class == _BACKGROUND:
                expected = "another number than -1, which is background"
                _check.fail(owner, "ignore_class", expected, ignore_class)
        self.ignore_class = ignore_class
        self.per_positive = _check.boolean(owner, "per_positive", per_positive)

    def _shares(self, y_true, y_pred):
        """Shares of the classes, `(..., classes)`; none of what is background."""
        count = y_pred.shape[-1]
        if not classes.are_indices(y_true, y_pred):
            if tuple(y_true.shape[1:]) != tuple(y_pred.shape[1:]):
                raise ValueError(
                    f"{self.name}: labels must be numbers of classes or a share for "
                    f"each of {count} classes. Received: labels of shape "
                    f"{tuple(y_true.shape)}, predictions of {tuple(y_pred.shape)}"
                )
            return ops.cast(y_true, self.dtype)
        numbers = ops.cast(classes.indices(y_true, y_pred), self.dtype)
        none = numbers == _BACKGROUND
        if self.ignore_class is not None:
            none = none | (numbers == self.ignore_class)
        rows = classes.one_hot(ops.where(none, 0.0, numbers), count)
        return ops.where(none[..., None], 0.0, ops.cast(rows, self.dtype))

    def averaged(self, seen, y_true, y_pred):
        if not self.per_positive:
            return super().averaged(seen, y_true, y_pred)
        mass = ops.sum(self._shares(y_true, y_pred), axis=-1)
        positive = ops.sum(seen * ops.cast(ops.minimum(mass, 1.0), seen.dtype))
        return ops.maximum(positive, 1.0) / ops.sum(ops.ones_like(seen))

    def call(self, y_true, y_pred):
        if self.ignore_class is not None and classes.are_indices(y_true, y_pred):
            # Whatever is there is to count for nothing, NaN included.
            kept = classes.indices(y_true, y_pred) != self.ignore_class
            y_pred = ops.where(kept[..., None], y_pred, 0.0)
        cost = focal.focal(
            self._shares(y_true, y_pred),
            y_pred,
            self.alpha,
            self.gamma,
            from_logits=self.from_logits,
        )
        return ops.sum(cost, axis=-1)
