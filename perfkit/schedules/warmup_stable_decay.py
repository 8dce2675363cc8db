"""Up, level, and down."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import curves


@keras.saving.register_keras_serializable(package="perfkit")
class WarmupStableDecay(Configured, LearningRateSchedule):
    """Warm up, stay, and fall at the end: a trapezoid.

    What was trained until the fall can be taken up again, and trained for longer.

    Args:
        learning_rate: Rate between warm-up and fall. At least 0.
        steps: Length of all, in optimizer steps, after which the rate stays at `end`.
            At least 1.
        warmup_steps: Steps of the warm-up, in a straight line. Within [0, `steps`].
        decay_steps: Steps of the fall. Within [0, `steps` - `warmup_steps`].
        start: Rate at step 0, if there is a warm-up. At least 0.
        end: Rate after the fall. At least 0.
        curve: Of the fall: `"linear"`, `"cosine"`, or `"sqrt"`, which is one minus the
            root of the share.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> schedule = WarmupStableDecay(0.4, 6, warmup_steps=2, decay_steps=2)
        >>> [round(float(schedule(step)), 2) for step in range(8)]
        [0.0, 0.2, 0.4, 0.4, 0.4, 0.2, 0.0, 0.0]

    Reference: Hägele et al., Scaling Laws and Compute-Optimal Training Beyond Fixed
        Training Durations, 2024, arXiv 2405.18392; Hu et al., MiniCPM, 2024, arXiv
        2404.06395, which falls exponentially.
    """

    def __init__(
        self,
        learning_rate,
        steps,
        *,
        warmup_steps,
        decay_steps,
        start=0.0,
        end=0.0,
        curve="linear",
    ):
        owner = "WarmupStableDecay"
        self.learning_rate = _check.number(owner, "learning_rate", learning_rate, 0.0)
        self.steps = _check.integer(owner, "steps", steps)
        self.warmup_steps = _check.integer(
            owner, "warmup_steps", warmup_steps, 0, self.steps
        )
        room = self.steps - self.warmup_steps
        self.decay_steps = _check.integer(owner, "decay_steps", decay_steps, 0, room)
        self.start = _check.number(owner, "start", start, 0.0)
        self.end = _check.number(owner, "end", end, 0.0)
        self.curve = _check.one_of(owner, "curve", curve, curves.FALLS)

    def __call__(self, step):
        up = curves.progress(step, self.warmup_steps)
        warm = self.start + (self.learning_rate - self.start) * up
        begin = self.steps - self.decay_steps
        done = curves.progress(step, self.decay_steps, begin)
        down = curves.FALLS[self.curve](done)
        after = self.end + (self.learning_rate - self.end) * down
        return ops.where(step < self.warmup_steps, warm, after)
