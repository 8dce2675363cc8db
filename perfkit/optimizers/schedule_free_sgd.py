"""SGD without a schedule."""

import keras

from perfkit import _check
from perfkit.optimizers._schedule_free import ScheduleFree


@keras.saving.register_keras_serializable(package="perfkit")
class ScheduleFreeSGD(ScheduleFree):
    """Take steps of SGD at a constant rate, and average them instead of a decay.

    Evaluate, predict and save the averages: call `swap()` before and after.

    Args:
        learning_rate: At least 0; a number, a schedule or a function.
        momentum: How far gradients are taken towards the average. Within [0, 1).
        warmup_steps: For so many steps the rate grows along a line. At least 0.
        weight_decay: Decoupled weight decay, multiplied by the rate, or `None`. At
            least 0.
        step_power: Power of the step's number in its weight in the average. At least
            0.
        lr_power: Power of the largest rate so far in that weight. At least 0.
        **kwargs: `no_decay=True` spares biases and normalization from weight decay,
            a list of patterns what they match; and those of
            `keras.optimizers.Optimizer`: `clipnorm`, `name`, ..., but `use_ema`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> weights = keras.Variable([4.0])
        >>> optimizer = ScheduleFreeSGD(1.0, momentum=0.5)
        >>> for _ in range(2):
        ...     optimizer.apply([keras.ops.ones(1)], [weights])
        >>> float(weights.numpy()[0])
        2.25
        >>> optimizer.swap()  # the average of 3 and 2
        >>> float(weights.numpy()[0])
        2.5

    Reference: Defazio et al., The Road Less Scheduled, 2024, arXiv 2405.15682. As in
        the authors' code a step weighs as the square of the largest rate so far.
    """

    def __init__(
        self,
        learning_rate=1.0,
        momentum=0.9,
        warmup_steps=0,
        weight_decay=None,
        *,
        step_power=0.0,
        lr_power=2.0,
        **kwargs,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            warmup_steps=warmup_steps,
            step_power=step_power,
            lr_power=lr_power,
            **kwargs,
        )
        self.momentum = _check.below_one("ScheduleFreeSGD", "momentum", momentum)

    def inner(self):
        return self.momentum
