"""REX."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._config import Configured
from perfkit.ops import curves


@keras.saving.register_keras_serializable(package="perfkit")
class REX(Configured, LearningRateSchedule):
    """Let the learning rate fall slowly at first, and steeply at the end.

    For trainings of few epochs.

    Args:
        learning_rate: Rate at step 0. At least 0.
        steps: Length of all, in optimizer steps, after which the rate stays at `end`.
            At least 1.
        end: Rate at step `steps`. At least 0.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> schedule = REX(0.6, 4)
        >>> [round(float(schedule(step)), 2) for step in range(6)]
        [0.6, 0.51, 0.4, 0.24, 0.0, 0.0]

    Reference: Chen et al., REX: Revisiting Budgeted Training with an Improved
        Schedule, 2021, arXiv 2107.04197.
    """

    def __init__(self, learning_rate, steps, *, end=0.0):
        self.learning_rate = _check.number("REX", "learning_rate", learning_rate, 0.0)
        self.steps = _check.integer("REX", "steps", steps)
        self.end = _check.number("REX", "end", end, 0.0)

    def __call__(self, step):
        down = curves.rex(curves.progress(step, self.steps))
        return self.end + (self.learning_rate - self.end) * down
