"""By the same factor at every step."""

import math

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import curves


@keras.saving.register_keras_serializable(package="perfkit")
class Exponential(Configured, LearningRateSchedule):
    """Change the learning rate by the same factor at every step, from here to there.

    Keras's `ExponentialDecay` asks for the factor and never ends.

    Args:
        learning_rate: Rate at step 0. Above 0.
        steps: Optimizer steps until `end`, where the rate stays. At least 1.
        end: Rate at step `steps`, above 0, and above `learning_rate` for a rate that
            grows, as in a range test.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> schedule = Exponential(1.0, 3, end=1e-3)
        >>> [round(float(schedule(step)), 3) for step in range(5)]
        [1.0, 0.1, 0.01, 0.001, 0.001]

    Reference: none (standard).
    """

    def __init__(self, learning_rate, steps, *, end):
        owner = "Exponential"
        self.learning_rate = _check.positive(owner, "learning_rate", learning_rate)
        self.steps = _check.integer(owner, "steps", steps)
        self.end = _check.positive(owner, "end", end)

    def __call__(self, step):
        done = curves.progress(step, self.steps)
        factor = math.log(self.end / self.learning_rate)
        return self.learning_rate * ops.exp(factor * done)
