"""One rise and one fall."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import curves


@keras.saving.register_keras_serializable(package="perfkit")
class OneCycle(Configured, LearningRateSchedule):
    """Raise the learning rate to a peak once, then let it fall to next to nothing.

    The momentum is meant to go the other way, as does `OneCycle(0.85, steps,
    start=0.95, end=0.95)`.

    Args:
        learning_rate: The peak. At least 0.
        steps: Length of all, in optimizer steps, after which the rate stays at `end`.
            At least 1.
        start: Rate at step 0, at least 0; `None` is a 25th of the peak.
        end: Rate at step `steps`, at least 0; `None` is 1e-4 of `start`.
        rise: Share of the steps until the peak. Within [0, 1].
        curve: Of the rise and of the fall, `"cosine"` or `"linear"`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> schedule = OneCycle(1.0, 4, start=0.2, end=0.0, rise=0.5, curve="linear")
        >>> [round(float(schedule(step)), 2) for step in range(6)]
        [0.2, 0.6, 1.0, 0.5, 0.0, 0.0]

    Reference: Smith and Topin, Super-Convergence, 2017, arXiv 1708.07120. They rise
        and fall along lines and for equal times, and then go below the start; the
        cosine and the 30 % are fastai's.
    """

    def __init__(
        self, learning_rate, steps, *, start=None, end=None, rise=0.3, curve="cosine"
    ):
        owner = "OneCycle"
        self.learning_rate = _check.number(owner, "learning_rate", learning_rate, 0.0)
        self.steps = _check.integer(owner, "steps", steps)
        start = self.learning_rate / 25.0 if start is None else start
        self.start = _check.number(owner, "start", start, 0.0)
        end = self.start * 1e-4 if end is None else end
        self.end = _check.number(owner, "end", end, 0.0)
        self.rise = _check.unit(owner, "rise", rise)
        self.curve = _check.one_of(owner, "curve", curve, ("cosine", "linear"))

    def __call__(self, step):
        top = round(self.rise * self.steps)
        fall = curves.FALLS[self.curve]
        low = fall(curves.progress(step, top)) * (self.start - self.learning_rate)
        down = fall(curves.progress(step, self.steps - top, top))
        after = self.end + (self.learning_rate - self.end) * down
        return ops.where(step < top, self.learning_rate + low, after)
