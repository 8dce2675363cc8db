"""Two passes with different dropout that have to agree."""

import keras

from perfkit._backend import ops
from perfkit.losses.wrapping import WrappingLoss
from perfkit.ops import classes, passes


@keras.saving.register_keras_serializable(package="perfkit")
class RDrop(WrappingLoss):
    """Have two passes through the dropout of a network predict alike.

    The network is wrapped in `TwoPasses`, which in training makes two predictions for
    each sample. The loss is the mean of `loss` over both, plus `strength` times the
    mean of both Kullback-Leibler divergences between them. Where there is one
    prediction for each label, as in evaluation, it is `loss` alone; so it is where
    `TwoPasses` was forgotten.

    Args:
        loss: Classification loss; see `WrappingLoss`.
        strength: Factor of the divergence. At least 0; the paper took 1 to 5 for
            text, 0.6 for images.
        reduction: See `WrappingLoss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.

    Shape:
        Labels and weights as `loss` has them, of a `batch`. Predictions
        `(2 * batch, ...)` with the two of a sample next to each other, or
        `(batch, ...)`.

    Raises:
        TypeError: If `loss` is no classification loss.
        ValueError: If an argument is out of bounds; at the call, if there is no whole
            number of predictions for each label.

    Example:
        >>> loss = RDrop(keras.losses.SparseCategoricalCrossentropy(), 1.0)
        >>> apart = float(loss([0], [[0.9, 0.1], [0.5, 0.5]]))
        >>> alike = float(loss([0], [[0.9, 0.1], [0.9, 0.1]]))
        >>> round(apart, 3), round(alike, 3)
        (0.839, 0.105)

    Reference: Liang et al., R-Drop: Regularized Dropout for Neural Networks, 2021,
        arXiv 2106.14448. They add both losses up where here is their mean, so that
        `strength` is half of their alpha.
    """

    def __init__(
        self, loss, strength=1.0, *, reduction="loss", name="r_drop", dtype="float32"
    ):
        super().__init__(loss, strength, reduction=reduction, name=name, dtype=dtype)

    def seen(self, y_true, y_pred):
        samples, predictions = y_true.shape[0], y_pred.shape[0]
        if samples and predictions and predictions % samples:
            raise ValueError(
                f"{self.name}: there must be one prediction for each label, or two. "
                f"Received: labels of shape {tuple(y_true.shape)}, predictions of "
                f"{tuple(y_pred.shape)}"
            )
        both = super().seen(passes.repeated_like(y_true, y_pred), y_pred)
        return passes.of_samples(both, y_true)[:, 0]  # both passes have the same

    def call(self, y_true, y_pred):
        each = self.loss.call(passes.repeated_like(y_true, y_pred), y_pred)
        apart = self.per_place(lambda logs: _apart(logs, y_true), y_pred)
        each = ops.mean(passes.of_samples(each, y_true), axis=1)
        return each + self.strength * apart


def _apart(logs, y_true):
    logs = passes.of_samples(logs, y_true)
    return classes.divergence(logs[:, 0], logs[:, -1])
