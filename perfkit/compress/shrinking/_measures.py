"""What of a model is to become smaller, measured."""

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


def parameters(small, model) -> float:
    """Weights of a model, as a share of those of another."""
    return small.count_params() / model.count_params()


def multiplications(small, model) -> float:
    """Multiply-accumulates of a sample, as a share of those of another model."""
    return macs(small).total / macs(model).total


def latency(small, model) -> float:
    """Time of a prediction by TFLite, as a share of that of another model.

    Both as float files with one thread, in turn, so that noise is shared.
    """
    with tempfile.TemporaryDirectory() as folder:
        calls = [
            _call(each, Path(folder, f"{name}.tflite"))
            for name, each in (("model", model), ("small", small))
        ]
        took = alternately(calls, _RUNS)
    return float(np.median(took[:, 1] / took[:, 0]))


def _call(model, path):
    export_tflite(model, path, verbose=False)
    return LiteModel(path).on_zeros()


def against(of, model) -> Callable[[Any], float]:
    """Return a function that measures a model as a share of this one."""
    return lambda small: SHARES[of](small, model)


SHARES = {"parameters": parameters, "macs": multiplications, "latency": latency}
