"""Level, then a cosine."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._config import Configured
from perfkit.ops import curves


@keras.saving.register_keras_serializable(package="perfkit")
class FlatCosine(Configured, LearningRateSchedule):
    """Keep the learning rate for most of the training, then let it fall.

    Args:
        learning_rate: Rate at first. At least 0.
        steps: Length of all, in optimizer steps, after which the rate stays at `end`.
            At least 1.
        flat: Share of the steps in which nothing changes. Within [0, 1].
        end: Rate at step `steps`. At least 0.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> schedule = FlatCosine(0.4, 4, flat=0.5)
        >>> [round(float(schedule(step)), 2) for step in range(6)]
        [0.4, 0.4, 0.4, 0.2, 0.0, 0.0]

    Reference: none (fastai's `fit_flat_cos`).
    """

    def __init__(self, learning_rate, steps, *, flat=0.75, end=0.0):
        owner = "FlatCosine"
        self.learning_rate = _check.number(owner, "learning_rate", learning_rate, 0.0)
        self.steps = _check.integer(owner, "steps", steps)
        self.flat = _check.unit(owner, "flat", flat)
        self.end = _check.number(owner, "end", end, 0.0)

    def __call__(self, step):
        begin = round(self.flat * self.steps)
        done = curves.progress(step, self.steps - begin, begin)
        return self.end + (self.learning_rate - self.end) * curves.cosine(done)
