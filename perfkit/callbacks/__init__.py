"""Watching a training run, and reacting to it."""

from perfkit import _names
from perfkit.callbacks.dropout_schedule import DropoutSchedule as DropoutSchedule
from perfkit.callbacks.host_metrics import HostMetrics as HostMetrics
from perfkit.callbacks.lowered import Lowered as Lowered
from perfkit.callbacks.optimizer_schedule import OptimizerSchedule as OptimizerSchedule
from perfkit.callbacks.plateau_aware import PlateauAware as PlateauAware
from perfkit.callbacks.swap_weights import SwapWeights as SwapWeights
from perfkit.callbacks.throughput import Throughput as Throughput


def __dir__():
    return _names.public(globals())
