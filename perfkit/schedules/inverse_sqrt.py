"""One over the root of the step."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class InverseSqrt(Configured, LearningRateSchedule):
    """Let the learning rate fall as one over the root of the step.

    It has no end: a training may go on. `WarmUp(InverseSqrt(rate, n), n)` is the
    schedule of the Transformer, which peaks at step `n`.

    Args:
        learning_rate: Rate at step 0. At least 0.
        steps: Optimizer steps until it has fallen to a half are 3 times so many. At
            least 1.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> schedule = InverseSqrt(0.6, 2)
        >>> [round(float(schedule(step)), 2) for step in (0, 6, 16)]
        [0.6, 0.3, 0.2]

    Reference: Vaswani et al., Attention Is All You Need, 2017, arXiv 1706.03762.
    """

    def __init__(self, learning_rate, steps):
        owner = "InverseSqrt"
        self.learning_rate = _check.number(owner, "learning_rate", learning_rate, 0.0)
        self.steps = _check.integer(owner, "steps", steps)

    def __call__(self, step):
        gone = ops.cast(step, "float32") / float(self.steps)
        return self.learning_rate / ops.sqrt(1.0 + gone)
