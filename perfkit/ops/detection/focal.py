"""Focal cross-entropy of classes that each hold or do not."""

from typing import Any

from perfkit._backend import keras_ops as ops
from perfkit.ops import classes

_LEAST = 1e-7


def focal(
    shares,
    predictions,
    alpha: float | None = 0.25,
    gamma=2.0,
    *,
    from_logits=True,
) -> Any:
    """Binary cross-entropy, less of it the better a prediction is already.

    Args:
        shares: 0 or 1, or what is between, in the shape of `predictions`.
        predictions: Logits, or probabilities.
        alpha: Weight of what holds; of what does not it is `1 - alpha`. `None` for 1
            of both.
        gamma: Power of what a prediction is off by, at least 0.
        from_logits: Whether `predictions` are logits.

    Returns:
        As `predictions`.

    Reference: Lin et al., Focal Loss for Dense Object Detection, 2017, arXiv
        1708.02002.
    """
    if from_logits:
        cost = ops.softplus(predictions) - shares * predictions
        yes, no = ops.sigmoid(predictions), ops.sigmoid(-predictions)
    else:
        yes = ops.clip(predictions, classes.LEAST, 1.0 - classes.LEAST)
        no = 1.0 - yes
        cost = -(shares * ops.log(yes) + (1.0 - shares) * ops.log(no))
    if gamma:
        off = shares * no + (1.0 - shares) * yes
        # A power below 1 has no slope at 0.
        cost = cost * ops.power(ops.maximum(off, _LEAST), gamma)
    if alpha is not None:
        cost = cost * (shares * alpha + (1.0 - shares) * (1.0 - alpha))
    return cost
