"""What has to work on JAX where TensorFlow is not installed."""

import os
import subprocess
import sys

import keras
import pytest

SCRIPT = """
import sys
sys.modules["tensorflow"] = None  # importing it raises ImportError
import keras
import numpy as np
from perfkit import augment, callbacks, regularizers, schedules

pipeline = augment.Pipeline([augment.RandomRotation(0.1), augment.RandomHue(0.1)])
images = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3)).astype("uint8")
assert not np.allclose(pipeline(images), images)
assert not np.allclose(pipeline.on_host(images), images)
averaged = augment.TestTimeAugmentation(keras.layers.Activation("relu"), pipeline, 2)
assert averaged(images).shape == images.shape
augment.show(pipeline, images)

model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
schedule = schedules.WarmUp(keras.optimizers.schedules.CosineDecay(0.1, 4), 2)
model.compile(keras.optimizers.SGD(schedule), "mse")
speed = callbacks.Throughput()
model.fit(np.ones((8, 4)), np.ones((8, 1)), batch_size=2, verbose=0, callbacks=[speed])
regularizers.attach(model, "l2")
logs = model.fit(np.ones((8, 4)), np.ones((8, 1)), batch_size=2, verbose=0,
                 callbacks=[speed]).history
assert logs["samples_per_second"][0] > 0
assert len(model.losses) == 1
"""


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="once is enough")
def test_the_families_run_on_jax_alone():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
