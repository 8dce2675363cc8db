"""How large or slow a model is, as a share of another one."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from perfkit.compress.export_tflite import export_tflite
from perfkit.compress.lite_model import LiteModel
from perfkit.graph.latency import alternately
from perfkit.graph.macs import macs

_RUNS = 60


def parameters(model) -> Callable[[Any], float]:
    """Return a function of another model: its weights as a share of this one's."""
    whole = model.count_params()
    return lambda small: small.count_params() / whole


def multiplications(model) -> Callable[[Any], float]:
    """Return a function of another model: its MACs as a share of this one's."""
    whole = macs(model).total
    return lambda small: macs(small).total / whole


def latency(model) -> Callable[[Any], float]:
    """Return a function of another model: its latency as a share of this one's.

    Both run as float TFLite files with one thread, in turn, so that noise is shared.
    """
    whole = _call(model)

    def share(small):
        took = alternately([whole, _call(small)], _RUNS)
        return float(np.median(took[:, 1] / took[:, 0]))

    return share


def _call(model):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        export_tflite(model, path, verbose=False)
        return LiteModel(path).on_zeros()


# Functions of a model that return one of another: its share of what this one has.
SHARES = {"parameters": parameters, "macs": multiplications, "latency": latency}
