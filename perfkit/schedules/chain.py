"""Schedules one after the other."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.schedules._parts import part, rate_of, restored


@keras.saving.register_keras_serializable(package="perfkit")
class Chain(Configured, LearningRateSchedule):
    """Follow schedules one after the other, each from its own beginning.

    Args:
        schedules: What follows on what: two or more, each a `LearningRateSchedule`, or
            a number, at least 0, for a constant rate.
        boundaries: The optimizer steps at which the second and each further schedule
            begins at its own step 0, in rising order. One fewer than `schedules`.

    Raises:
        TypeError: If one of `schedules` is neither a schedule nor a number.
        ValueError: If `boundaries` do not rise, or are not one fewer.

    Example:
        >>> schedule = Chain([0.1, 0.3, 0.2], boundaries=[2, 3])
        >>> [round(float(schedule(step)), 2) for step in range(5)]
        [0.1, 0.1, 0.3, 0.2, 0.2]

    Reference: none (standard).
    """

    def __init__(self, schedules, boundaries):
        schedules = _check.instance("Chain", "schedules", schedules, (list, tuple))
        if len(schedules) < 2:
            _check.fail("Chain", "schedules", "two or more schedules", schedules)
        self.schedules = [part("Chain", "schedules", each) for each in schedules]
        self.boundaries = _check.rising("Chain", "boundaries", boundaries)
        if len(self.boundaries) != len(schedules) - 1:
            expected = (
                f"{len(schedules) - 1} steps, as there are {len(schedules)} parts"
            )
            _check.fail("Chain", "boundaries", expected, boundaries)

    def __call__(self, step):
        step = ops.cast(step, "int32")
        rate = rate_of(self.schedules[0], step)
        for start, schedule in zip(self.boundaries, self.schedules[1:], strict=True):
            after = rate_of(schedule, ops.maximum(step - start, 0))
            rate = ops.where(step >= start, after, rate)
        return rate

    @classmethod
    def from_config(cls, config):
        schedules = [restored(each) for each in config["schedules"]]
        return cls(**{**config, "schedules": schedules})
