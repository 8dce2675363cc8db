"""A schedule times a factor."""

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class Lowered(Configured, LearningRateSchedule):
    """Follow a schedule at a fraction of its rate.

    It is what `PlateauAware` puts in place of the schedule of an optimizer.

    Args:
        schedule: Any `LearningRateSchedule`.
        factor: The fraction. Within [0, 1].
        min_rate: Rate that is not gone below, unless the schedule itself does. At
            least 0.

    Raises:
        TypeError: If `schedule` is not a schedule.
        ValueError: If a number is out of bounds.

    Example:
        >>> decay = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
        >>> schedule = Lowered(decay, 0.5, min_rate=0.3)
        >>> [round(float(schedule(step)), 2) for step in range(5)]
        [0.5, 0.38, 0.3, 0.25, 0.0]

    Reference: none (standard).
    """

    def __init__(self, schedule, factor, *, min_rate=0.0):
        _check.instance("Lowered", "schedule", schedule, LearningRateSchedule)
        self.schedule = schedule
        self.factor = _check.unit("Lowered", "factor", factor)
        self.min_rate = _check.number("Lowered", "min_rate", min_rate, 0.0)

    def __call__(self, step):
        rate = ops.convert_to_tensor(self.schedule(step), dtype="float32")
        return ops.minimum(rate, ops.maximum(rate * self.factor, self.min_rate))

    @classmethod
    def from_config(cls, config):
        schedule = keras.optimizers.schedules.deserialize(config["schedule"])
        return cls(**{**config, "schedule": schedule})
