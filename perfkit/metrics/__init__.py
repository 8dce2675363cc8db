"""What predictions are worth, where Keras has no measure for it."""

from perfkit import _names
from perfkit.metrics.mean_average_precision import (
    MeanAveragePrecision as MeanAveragePrecision,
)


def __dir__():
    return _names.public(globals())
