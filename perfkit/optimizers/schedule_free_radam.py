"""RAdam without a schedule."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import moments
from perfkit.optimizers._schedule_free import ScheduleFree


@keras.saving.register_keras_serializable(package="perfkit")
class ScheduleFreeRAdam(ScheduleFree):
    """Take steps of RAdam at a constant rate, and average them instead of a decay.

    It needs no warm-up either: while the mean of squares is of too few gradients,
    five with `beta_2=0.999`, the weights stay. Evaluate, predict and save the
    averages: call `swap()` before and after.

    Args:
        learning_rate: At least 0; a number, a schedule or a function.
        beta_1: How far gradients are taken towards the average. Within [0, 1).
        beta_2: Forgetting of the mean of squared gradients. Above 0.6, below 1; with
            less the weights would never move.
        epsilon: Added to the root of the latter. Above 0.
        weight_decay: Decoupled weight decay, multiplied by the rate, or `None`. At
            least 0.
        warmup_steps: For so many steps the rate grows along a line. At least 0.
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
        >>> optimizer = ScheduleFreeRAdam(0.5, beta_2=0.9)
        >>> for _ in range(4):
        ...     optimizer.apply([keras.ops.ones(1)], [weights])
        >>> float(weights.numpy()[0])
        4.0
        >>> optimizer.apply([keras.ops.ones(1)], [weights])
        >>> float(weights.numpy()[0]) < 4.0
        True

    Reference: Defazio et al., The Road Less Scheduled, 2024, arXiv 2405.15682, and Liu
        et al., On the Variance of the Adaptive Learning Rate and Beyond, 2019, arXiv
        1908.03265. That both are put together is from the authors' code of the former,
        with its silent first steps.
    """

    slots = ("square",)

    def __init__(
        self,
        learning_rate=0.0025,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        weight_decay=None,
        *,
        warmup_steps=0,
        step_power=0.0,
        lr_power=2.0,
        **kwargs,
    ):
        owner = "ScheduleFreeRAdam"
        super().__init__(
            learning_rate,
            weight_decay,
            warmup_steps=warmup_steps,
            step_power=step_power,
            lr_power=lr_power,
            **kwargs,
        )
        self.beta_1 = _check.below_one(owner, "beta_1", beta_1)
        self.beta_2 = _check.below_one(owner, "beta_2", beta_2)
        if self.beta_2 <= 0.6:
            _check.fail(owner, "beta_2", "above 0.6, or no step is ever taken", beta_2)
        self.epsilon = _check.positive(owner, "epsilon", epsilon)

    def inner(self):
        return self.beta_1

    def factor(self, now):
        _, rectified = moments.rectification(self.beta_2, now.count)
        return super().factor(now) * rectified

    def direction(self, gradient, slots, now):
        square = moments.mean(slots["square"], ops.square(gradient), self.beta_2)
        length = ops.sqrt(moments.unbiased(square, self.beta_2, now.count))
        return gradient / (length + self.epsilon), {"square": square}
