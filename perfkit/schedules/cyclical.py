"""Up and down, again and again."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import curves


@keras.saving.register_keras_serializable(package="perfkit")
class Cyclical(Configured, LearningRateSchedule):
    """Move the learning rate up and down between two bounds along straight lines.

    Args:
        low: Rate at the beginning and at the end of each cycle. At least 0.
        high: Rate at the top of the first cycle. At least 0.
        steps: Optimizer steps from `low` to `high`. At least 1.
        down_steps: Steps back to `low`. At least 1; `None` is as many as `steps`.
        cycle_decay: What the height of a cycle is multiplied by from one to the next.
            Within [0, 1]: 0.5 is the paper's `triangular2`.
        step_decay: The same from one step to the next: below 1 it is the paper's
            `exp_range`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> schedule = Cyclical(0.1, 0.3, 2, cycle_decay=0.5)
        >>> [round(float(schedule(step)), 2) for step in range(8)]
        [0.1, 0.2, 0.3, 0.2, 0.1, 0.15, 0.2, 0.15]

    Reference: Smith, Cyclical Learning Rates for Training Neural Networks, 2015,
        arXiv 1506.01186.
    """

    def __init__(
        self, low, high, steps, *, down_steps=None, cycle_decay=1.0, step_decay=1.0
    ):
        owner = "Cyclical"
        self.low = _check.number(owner, "low", low, 0.0)
        self.high = _check.number(owner, "high", high, 0.0)
        self.steps = _check.integer(owner, "steps", steps)
        down_steps = self.steps if down_steps is None else down_steps
        self.down_steps = _check.integer(owner, "down_steps", down_steps)
        self.cycle_decay = _check.unit(owner, "cycle_decay", cycle_decay)
        self.step_decay = _check.unit(owner, "step_decay", step_decay)

    def __call__(self, step):
        step = ops.cast(step, "int32")
        length = self.steps + self.down_steps
        cycle = step // length
        within = step - cycle * length
        down = curves.progress(within, self.down_steps, self.steps)
        height = curves.progress(within, self.steps) - down
        for decay, times in ((self.cycle_decay, cycle), (self.step_decay, step)):
            height = height * ops.power(decay, ops.cast(times, "float32"))
        return self.low + (self.high - self.low) * height
