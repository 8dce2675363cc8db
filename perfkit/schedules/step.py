"""Down in steps."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class Step(Configured, LearningRateSchedule):
    """Multiply the learning rate by a factor at given steps.

    Args:
        learning_rate: Rate at first. At least 0.
        steps: Optimizer steps from one change to the next, at least 1; or the steps at
            which it changes, in rising order.
        factor: What it is multiplied by. Within [0, 1].

    Raises:
        ValueError: If an argument is out of bounds, or `steps` do not rise.

    Example:
        >>> [float(Step(8.0, 2, factor=0.5)(step)) for step in range(5)]
        [8.0, 8.0, 4.0, 4.0, 2.0]
        >>> [float(Step(8.0, [1, 4], factor=0.5)(step)) for step in range(5)]
        [8.0, 4.0, 4.0, 4.0, 2.0]

    Reference: none (standard).
    """

    def __init__(self, learning_rate, steps, *, factor=0.1):
        self.learning_rate = _check.number("Step", "learning_rate", learning_rate, 0.0)
        if isinstance(steps, (list, tuple)):
            self.steps = _check.rising("Step", "steps", steps)
        else:
            self.steps = _check.integer("Step", "steps", steps)
        self.factor = _check.unit("Step", "factor", factor)

    def __call__(self, step):
        step = ops.cast(step, "int32")
        if isinstance(self.steps, list):
            passed = ops.sum(ops.cast(step >= ops.array(self.steps), "float32"))
        else:
            passed = ops.cast(step // self.steps, "float32")
        return self.learning_rate * ops.power(self.factor, passed)
