"""What a schedule of schedules is made of: schedules, or constant rates."""

import numbers

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check


def part(owner, name, value):
    """Check that a value is a schedule, or a number of at least 0."""
    _check.instance(owner, name, value, (LearningRateSchedule, numbers.Real))
    if isinstance(value, LearningRateSchedule):
        return value
    return _check.number(owner, name, value, 0.0)


def rate_of(part, step):
    """The rate of a part at a step of its own."""
    return part(step) if isinstance(part, LearningRateSchedule) else part


def restored(config):
    """A part from what it was saved as."""
    return keras.optimizers.schedules.deserialize(config)
