"""Cosines one after the other."""

import keras
import numpy as np
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import curves

_FOREVER = 2**31 - 1


@keras.saving.register_keras_serializable(package="perfkit")
class CosineRestarts(Configured, LearningRateSchedule):
    """Let the learning rate fall along a cosine, again and again.

    Keras's `CosineDecayRestarts` with a warm-up in each cycle. For one warm-up before
    the first cycle put `WarmUp` in front.

    Args:
        learning_rate: Rate at the top of the first cycle. At least 0.
        steps: Length of the first cycle in optimizer steps, its warm-up counted. At
            least 1.
        growth: What the length is multiplied by from one cycle to the next, and
            rounded to whole steps. Within [1, 100].
        decay: What the top is multiplied by from one cycle to the next. Within [0, 1].
        end: Rate at the end of each cycle. At least 0.
        warmup_steps: Steps at the beginning of each cycle in which the rate goes in a
            straight line from `start` to the top. Within [0, `steps`].
        start: Rate at the beginning of each warm-up. At least 0.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> schedule = CosineRestarts(0.4, 2, growth=2, decay=0.5)
        >>> [round(float(schedule(step)), 2) for step in range(7)]
        [0.4, 0.2, 0.2, 0.17, 0.1, 0.03, 0.1]

    Reference: Loshchilov and Hutter, SGDR: Stochastic Gradient Descent with Warm
        Restarts, 2016, arXiv 1608.03983. The warm-up and the decay are additions.
    """

    def __init__(
        self,
        learning_rate,
        steps,
        *,
        growth=1.0,
        decay=1.0,
        end=0.0,
        warmup_steps=0,
        start=0.0,
    ):
        owner = "CosineRestarts"
        self.learning_rate = _check.number(owner, "learning_rate", learning_rate, 0.0)
        self.steps = _check.integer(owner, "steps", steps)
        self.growth = _check.number(owner, "growth", growth, 1.0, 100.0)
        self.decay = _check.unit(owner, "decay", decay)
        self.end = _check.number(owner, "end", end, 0.0)
        self.warmup_steps = _check.integer(
            owner, "warmup_steps", warmup_steps, 0, self.steps
        )
        self.start = _check.number(owner, "start", start, 0.0)

    def __call__(self, step):
        step = ops.cast(step, "int32")
        if self.growth == 1.0:
            cycle = step // self.steps
            begin, length = cycle * self.steps, self.steps
        else:
            begins = self._begins()
            cycle = ops.sum(ops.cast(step >= begins[1:-1], "int32"))
            begin = ops.take(begins[:-1], cycle)
            length = ops.take(np.diff(begins), cycle)
        within = step - begin
        top = self.learning_rate * self.decay ** ops.cast(cycle, "float32")
        warm = curves.progress(within, self.warmup_steps)
        done = ops.maximum(within - self.warmup_steps, 0)
        down = curves.cosine(
            ops.cast(done, "float32")
            / ops.maximum(ops.cast(length - self.warmup_steps, "float32"), 1.0)
        )
        after = self.end + (top - self.end) * down
        return ops.where(
            within < self.warmup_steps, self.start + (top - self.start) * warm, after
        )

    def _begins(self):
        """The steps at which cycles begin, until there are no more steps to count."""
        begins, length = [0], float(self.steps)
        while begins[-1] < _FOREVER:
            begins.append(min(begins[-1] + round(length), _FOREVER))
            length *= self.growth
        return np.array(begins, "int32")
