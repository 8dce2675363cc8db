"""Optimizers, students, tasks, masks and ranges under `tf.distribute`."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

from tests.optimizer_cases import CASES

ROOT = pathlib.Path(__file__).parent.parent
NAMES = {kind.__name__: case for kind, case in CASES.items() if case.distributed}
NORMALIZED = [
    f"normalized/{name}"
    for name in (
        "SharpnessAware",
        "SharpnessAware-every",
        "WeightAverage",
        "L2SP",
        "Accumulate",
    )
]
PRUNING = ["compressing/movement", "compressing/straight_through"]
RANGES = ["compressing/ranges"]
TEACHING = ["teaching/Distiller", "teaching/MutualLearning"]
BALANCING = [
    f"balancing/{name}" for name in ("UncertaintyWeighting", "PCGrad", "OGMGE")
]
ALL = [*NAMES, *NORMALIZED, *TEACHING]
TYPICAL = (
    [name for name, case in NAMES.items() if case.typical] + NORMALIZED[-1:] + TEACHING
)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's"
)
@pytest.mark.parametrize(
    "names",
    [
        pytest.param(TYPICAL, id="typical"),
        pytest.param(
            sorted({*ALL} - {*TYPICAL}), id="others", marks=pytest.mark.thorough
        ),
        pytest.param(PRUNING, id="pruning"),
        pytest.param(RANGES, id="ranges"),
        pytest.param(BALANCING, id="balancing"),
    ],
)
@pytest.mark.slow
def test_two_replicas_go_where_one_device_goes(names):
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    command = [sys.executable, "-m", "tests.mirrored_replicas", *names]
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    apart = json.loads(run.stdout.splitlines()[-1])
    assert set(apart) == set(names)
    assert {name: gap for name, gap in apart.items() if not gap < 1e-5} == {}
