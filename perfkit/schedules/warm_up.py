"""Linear warm-up in front of any learning-rate schedule."""

from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.schedules._parts import part, rate_of, restored


@keras.saving.register_keras_serializable(package="perfkit")
class WarmUp(Configured, LearningRateSchedule):
    """Raise the learning rate along a straight line, then follow a schedule.

    The rate goes linearly from `start` at step 0 to the first rate of `schedule`
    at step `steps`, where the schedule begins at its own step 0. So the rate is
    continuous, and the warm-up comes on top of the length of the schedule.

    Args:
        schedule: What follows the warm-up: any `LearningRateSchedule`, or a
            number, at least 0, for a constant rate.
        steps: Length of the warm-up in optimizer steps. At least 1.
        start: Learning rate at step 0. At least 0; with 0 the very first step
            leaves the weights as they are.

    Raises:
        TypeError: If `schedule` is neither a schedule nor a number.
        ValueError: If a number is out of bounds.

    Example:
        >>> schedule = WarmUp(0.4, steps=4, start=0.2)
        >>> [round(float(schedule(step)), 2) for step in range(6)]
        [0.2, 0.25, 0.3, 0.35, 0.4, 0.4]

    Reference: Goyal et al., Accurate, large minibatch SGD, 2017, arXiv
    1706.02677. They start at the rate for one worker and warm up for 5 epochs;
    there the decay counts from the first step of all, here from the end of the
    warm-up.
    """

    def __init__(self, schedule, steps, *, start=0.0):
        self.schedule = part("WarmUp", "schedule", schedule)
        self.steps = _check.integer("WarmUp", "steps", steps)
        self.start = _check.number("WarmUp", "start", start, 0.0)

    def __call__(self, step):
        rate = rate_of(self.schedule, ops.maximum(step - self.steps, 0))
        fraction = ops.divide(ops.cast(step, "float32"), self.steps)
        done: Any = ops.minimum(fraction, 1.0)
        return done * rate + (1.0 - done) * self.start

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "schedule": restored(config["schedule"])})
