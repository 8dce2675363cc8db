"""How long predictions of one sample take on this machine, in turn."""

import os
import pathlib
import platform
from typing import Any

import numpy as np

from perfkit.compress.lite_model import LiteModel
from perfkit.compress.reporting.results import Latency
from perfkit.graph.latency import alternately

_RUNTIMES = {"ai_edge_litert": "LiteRT", "tensorflow": "TensorFlow Lite"}


def latencies(subjects, runs) -> list[dict[str, Latency]]:
    """Time all predictions of the subjects, in turn with those on the same runtime.

    Each is compared with the first one on its runtime.

    Returns:
        For each subject its latencies, by the name of the field of `ModelReport`.
    """
    found: list[dict[str, Latency]] = [{} for _ in subjects]
    # Behind a prediction on another runtime, the same file is slower by some per cent.
    turns: dict[tuple[str, str], list[tuple[int, Any]]] = {}
    for place, subject in enumerate(subjects if runs else ()):
        once, lite = subject.once(), subject.lite
        if once is not None:
            turns.setdefault(("latency", subject.runtime), []).append((place, once))
        if lite is not None:
            key = "lite_latency", _runtime(lite)
            turns.setdefault(key, []).append((place, lite.on_zeros()))
    for (field, runtime), calls in turns.items():
        took = alternately([call for _, call in calls], runs, settling=1)
        than = subjects[calls[0][0]].name
        for column, (place, _) in enumerate(calls):
            median, p90 = np.percentile(took[:, column], (50, 90)).tolist()
            latency = Latency(runtime, median, p90)
            if column:
                ratios = np.percentile(took[:, 0] / took[:, column], (50, 25, 75))
                latency = Latency(runtime, median, p90, than, tuple(ratios.tolist()))
            found[place][field] = latency
    return found


def processor() -> str:
    """Return the name of this machine's processor, and how many cores can be used."""
    name = platform.processor() or platform.machine()
    described = pathlib.Path("/proc/cpuinfo")  # where there is one, it says more
    if described.is_file():
        lines = described.read_text("utf-8").splitlines()
        models = [line.partition(":")[2] for line in lines if "model name" in line]
        name = models[0].strip() if models else name
    usable = getattr(os, "sched_getaffinity", None)
    cores = len(usable(0)) if usable else os.cpu_count() or 1
    return f"{name}, {cores} core" + "s" * (cores > 1)


def _runtime(lite: LiteModel) -> str:
    threads = f"{lite.threads} thread" + "s" * (lite.threads > 1)
    return f"{_RUNTIMES.get(lite.runtime, lite.runtime)}, {threads}"
