"""The same seed gives the same images on both backends.

A process of the other backend writes what every operation makes of the same
inputs. The run on JAX compares; once is enough, and TensorFlow starts faster.
"""

import functools
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

from perfkit import augment
from perfkit.ops.warp import FILL_MODES
from tests import array_cases
from tests.array_conformance import kinds
from tests.cases import CASES, build, wants_squares
from tests.conformance.common import (
    full_inputs,
    run_uncompiled,
    stands_for_its_family,
    to_numpy,
    use_squares,
)

ROOT = pathlib.Path(__file__).parents[1]
FILLED = [op for op, _ in CASES if issubclass(op, augment.WarpAugment)]
PROGRAM = (
    "from tests.test_augment_backends import write; import sys; write(*sys.argv[1:])"
)
# What is compared by default, beside the operations that stand for their families.
OF_ARRAYS = {
    augment.AudioNoise,
    augment.FeatureCorruption,
    augment.TimeMasking,
    augment.TokenDeletion,
}


def rows():
    """Name, class and arguments of all that is compared."""
    for number, (op, arguments) in enumerate(CASES):
        yield f"{op.__name__}-{number}", op, arguments
        if op in FILLED:
            for mode in FILL_MODES:
                yield f"{op.__name__}-{mode}", op, {**arguments, "fill_mode": mode}
    for number, (op, arguments) in enumerate(array_cases.ARRAY_CASES):
        yield f"{op.__name__}-array-{number}", op, arguments


ROWS = list(rows())


def is_slow(op):
    """Whether it is one of many: JAX compiles every step of each."""
    typical = stands_for_its_family(op) and op is not augment.RandAugment
    return not typical and op not in OF_ARRAYS


def outputs(op, arguments):
    """What the second call of a layer makes, as flat arrays by path."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        if (op, arguments) in array_cases.ARRAY_CASES:
            layer = array_cases.build(op, arguments)
            make = functools.partial(kinds.full_inputs, layer)
        else:
            layer, make = build(op, arguments, bounding_box_format="xyxy"), full_inputs
            if wants_squares(op, arguments):
                use_squares(monkeypatch)
        layer(make())
        flat = keras.tree.flatten_with_path(layer(make()))
    return {"/".join(map(str, path)): to_numpy(x) for path, x in flat}


def write(file, *names):
    with pytest.MonkeyPatch.context() as monkeypatch:
        run_uncompiled(monkeypatch)
        arrays = {
            f"{name}/{path}": x
            for name, op, arguments in ROWS
            if name in names
            for path, x in outputs(op, arguments).items()
        }
    np.savez(file, **arrays)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory, request):
    own = [item for item in request.session.items if item.path == request.path]
    names = [item.callspec.params["name"] for item in own]
    file = tmp_path_factory.mktemp("backends") / "theirs.npz"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file), *names],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return np.load(file)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="the run on JAX compares")
@pytest.mark.parametrize(
    ("name", "op", "arguments"),
    [
        pytest.param(name, op, x, id=name, marks=[pytest.mark.slow] * is_slow(op))
        for name, op, x in ROWS
    ],
)
def test_both_backends_make_the_same(name, op, arguments, theirs, monkeypatch):
    run_uncompiled(monkeypatch)
    ours = outputs(op, arguments)
    assert ours
    for path, our in ours.items():
        their = theirs[f"{name}/{path}"]
        assert our.dtype == their.dtype, path
        assert our.shape == their.shape, path
        unit = 1.0 if "-array-" in name else 255.0
        far = ~np.isclose(our, their, rtol=1e-4, atol=1e-3 * unit)
        assert far.mean() <= 0.002, path  # a coordinate between two pixels
