"""The family of losses that add to another one."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.losses.classification import ClassificationLoss
from perfkit.losses.focal_crossentropy import FocalCrossentropy
from perfkit.ops import classes

_BINARY = (
    keras.losses.BinaryCrossentropy,
    keras.losses.BinaryFocalCrossentropy,
    FocalCrossentropy,
)


class WrappingLoss(ClassificationLoss):
    """Add something about the predictions to a classification loss.

    Args:
        loss: A loss of Keras or perfkit with `from_logits`. Predictions of
            `BinaryCrossentropy`, its focal form and `FocalCrossentropy` are of labels
            that hold or do not, all others of classes along the last axis. Its
            `ignore_class` holds for what is added too.
        strength: Factor of what is added. At least 0.
        reduction: See `keras.losses.Loss`. `"loss"` stands for that of `loss`, which
            reduces nothing by itself.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.
    """

    def __init__(self, loss, strength, *, reduction, name, dtype):
        owner = type(self).__name__
        _check.instance(owner, "loss", loss, keras.losses.Loss)
        from_logits = getattr(loss, "from_logits", None)
        if from_logits is None:
            expected = "a loss of classes, which has `from_logits`"
            _check.fail(owner, "loss", expected, loss, TypeError)
        reduction = loss.reduction if reduction == "loss" else reduction
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        self.loss = loss
        self.strength = _check.number(owner, "strength", strength, 0.0)
        self.from_logits = from_logits
        self.ignore_class = getattr(loss, "ignore_class", None)

    def seen(self, y_true, y_pred) -> Any:
        if isinstance(self.loss, ClassificationLoss):  # it may know of several passes
            return self.loss.seen(y_true, y_pred)
        return super().seen(y_true, y_pred)

    def _is_binary(self):
        loss: Any = self.loss
        while isinstance(loss, WrappingLoss):
            loss = loss.loss
        return isinstance(loss, _BINARY)

    def per_place(self, function, y_pred) -> Any:
        """What a function makes of the logarithms of the probabilities.

        The mean over labels, where there are several, as binary losses have it.
        """
        binary = self._is_binary()
        values = function(
            classes.log_probabilities(
                y_pred, from_logits=self.from_logits, binary=binary
            )
        )
        return ops.mean(values, axis=-1) if binary else values

    @classmethod
    def from_config(cls, config):
        loss = keras.losses.deserialize(config["loss"])
        return cls(**{**config, "loss": loss})
