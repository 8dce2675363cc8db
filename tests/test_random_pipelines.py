"""Pipelines that nobody thought of: both backends, fused and unfused."""

import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from tests.conformance.common import full_inputs, run_uncompiled, to_numpy
from tests.oracles import smooth
from tests.pipelines import MILD, mild, mixed, pipeline
from tests.test_host import photographs, plainly

pytestmark = pytest.mark.slow

ROOT = pathlib.Path(__file__).parents[1]
SERVE = "from tests.test_random_pipelines import serve; import sys; serve(sys.argv[1])"
SIZE = 24  # of squares, which all operations take


def some(examples):
    """As many examples, the same in every run."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def inputs():
    """Smooth images, so that a difference is one of the way, and their targets."""
    masks = (np.arange(SIZE * SIZE).reshape(1, SIZE, SIZE, 1) // 40 % 3).astype("int32")
    return full_inputs(
        images=smooth(4, SIZE, SIZE, 3).astype("uint8"),
        segmentation_masks=np.repeat(masks, 4, axis=0),
    )


def outputs(numbers):
    """What one pipeline makes, compiled, as flat arrays by path."""
    made = pipeline(numbers)(inputs())
    flat = keras.tree.flatten_with_path(made)
    return {"/".join(map(str, path)): to_numpy(x) for path, x in flat}


def serve(file):
    """Write what pipelines make, one for each line of standard input."""
    for line in sys.stdin:
        np.savez(file, **outputs(json.loads(line)))
        print("written", flush=True)


@pytest.fixture(scope="module")
def tensorflow_makes(tmp_path_factory):
    """A function like `outputs`, in a process of the TensorFlow backend."""
    file = tmp_path_factory.mktemp("pipelines") / "theirs.npz"
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(file)],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def makes(numbers):
        process.stdin.write(json.dumps(numbers) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "written\n", "the other process failed"
        return dict(np.load(file))

    yield makes
    process.stdin.close()
    process.wait()
    process.stdout.close()


def assert_agree(numbers, theirs):
    ours = outputs(numbers)
    assert set(ours) == set(theirs)
    for path, our in ours.items():
        their = theirs[path]
        assert (our.dtype, our.shape) == (their.dtype, their.shape), path
        far = ~np.isclose(our, their, rtol=1e-3, atol=1e-3 * 255)
        pixels = path.startswith(("images", "segmentation_masks"))
        # A place between two pixels, or a value between two levels.
        assert far.mean() <= (0.005 if pixels else 0.0), path


only_jax = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="the run on JAX compares"
)


@only_jax
@pytest.mark.slow
@some(30)
@given(mixed())
def test_pipelines_compile_to_the_same_on_both_backends(tensorflow_makes, numbers):
    assert_agree(numbers, tensorflow_makes(numbers))


@pytest.fixture
def uncompiled(monkeypatch):
    run_uncompiled(monkeypatch)


def both_ways(numbers):
    """Images of one pipeline, fused and step by step, away from the border."""
    images = 70.0 + 0.45 * smooth(4, 48, 48, 3)
    fused, apart = [
        to_numpy(pipeline(numbers, MILD, fused=fused)(images))
        for fused in (True, False)
    ]
    edge = 12  # what was outside is seen up to here
    return [x[:, edge:-edge, edge:-edge] for x in (fused, apart)]


def assert_fused(numbers):
    fused, apart = both_ways(numbers)
    assert 5.0 < apart.min() < apart.max() < 250.0
    difference = np.abs(fused - apart)
    assert difference.mean() < 0.5
    assert np.quantile(difference, 0.99) < 2.5


@some(10)
@given(mild())
def test_fused_is_step_by_step_away_from_clipping(uncompiled, numbers):
    assert_fused(numbers)


@pytest.mark.slow
@some(50)
@given(mild())
def test_fused_is_step_by_step_fifty_times(uncompiled, numbers):
    assert_fused(numbers)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="NumPy's part is the same there"
)
@some(50)
@given(mild())
def test_the_host_makes_the_same_of_pipelines(numbers):
    batch = {**inputs(), "images": photographs(SIZE * 2, SIZE * 2, 3)}
    del batch["segmentation_masks"]
    layer = pipeline(numbers, MILD)
    params = layer.sample(4, seed=3)
    found = layer.on_host(batch, params)
    with pytest.MonkeyPatch.context() as monkeypatch:
        expected = plainly(layer, batch, params, monkeypatch)
    difference = np.abs(found.pop("images") - expected.pop("images"))[:, 3:-3, 3:-3]
    assert difference.mean() < 1.0
    assert np.quantile(difference, 0.99) < 3.0
    pairs = zip(*map(keras.tree.flatten, (found, expected)), strict=True)
    for our, their in pairs:
        np.testing.assert_allclose(our, their, atol=0.01)
