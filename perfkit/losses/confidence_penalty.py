"""A price on certainty."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.losses.wrapping import WrappingLoss
from perfkit.ops import classes, passes


@keras.saving.register_keras_serializable(package="perfkit")
class ConfidencePenalty(WrappingLoss):
    """Reward predictions for being uncertain, on top of another loss.

    The loss is that of `loss` minus `strength` times the entropy of the prediction, in
    nats; with a `threshold`, plus `strength` times what the entropy is short of it, so
    that what is uncertain enough is left alone. With equal classes the entropy is the
    logarithm of their number. Label smoothing does something alike; take one of them.

    Args:
        loss: Classification loss; see `WrappingLoss`.
        strength: Factor of the entropy. At least 0; the paper found 0.1 to 1 good for
            images and 0.1 for text.
        threshold: Entropy that is enough, in nats, above 0; `None` for all of it.
        reduction: See `WrappingLoss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the predictions come in.

    Shape:
        As `loss`.

    Raises:
        TypeError: If `loss` is no classification loss.
        ValueError: If an argument is out of bounds.

    Example:
        >>> inner = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> loss = ConfidencePenalty(inner, 0.5)
        >>> even = float(loss([0], [[1.0, 1.0]]))  # half of the logarithm of 2
        >>> round(even, 4)
        0.3466

    Reference: Pereyra et al., Regularizing Neural Networks by Penalizing Confident
        Output Distributions, 2017, arXiv 1701.06548. They subtract the shortfall from
        the threshold, which would reward certainty; here it is added.
    """

    def __init__(
        self,
        loss,
        strength=0.1,
        *,
        threshold=None,
        reduction="loss",
        name="confidence_penalty",
        dtype="float32",
    ):
        super().__init__(loss, strength, reduction=reduction, name=name, dtype=dtype)
        if threshold is not None:
            threshold = _check.number(
                "ConfidencePenalty", "threshold", threshold, 1e-6, math.log(2**31)
            )
        self.threshold = threshold

    def call(self, y_true, y_pred):
        cost = self.loss.call(y_true, y_pred)
        reward = self.per_place(classes.entropy, y_pred)
        if self.threshold is not None:
            reward = -ops.maximum(self.threshold - reward, 0.0)
        reward = ops.mean(passes.of_samples(reward, y_true), axis=1)
        return cost - self.strength * reward
