"""Draws inside `tf.data`: each element its own, whatever runs beside it."""

import functools
import inspect
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit import augment
from tests.cases import CASES, build
from tests.conformance.tf_data import check_programs_in_tf_data_equal_eager

COPIES = 600
PIXEL = np.full((1, 1, 3), 100.0, "float32")


def _brightness(seed=5):
    return augment.RandomBrightness((0.0, 0.6), seed=seed)


def _pipeline(seed=5):
    layers = [augment.RandomFlip(), _brightness(None), augment.Rescaling(1.0)]
    return augment.Pipeline(layers, seed=seed)


def _values(layer, batch=None):
    """First channel of each copy of one pixel, in the order of the dataset."""
    dataset = tf.data.Dataset.from_tensors(PIXEL).repeat(COPIES)
    if batch:
        dataset = dataset.batch(batch)
    dataset = dataset.map(layer, num_parallel_calls=tf.data.AUTOTUNE)
    return np.concatenate([np.ravel(out[..., 0]) for out in dataset])


@pytest.mark.slow
@pytest.mark.parametrize("make", [_brightness, _pipeline])
@pytest.mark.parametrize("batch", [None, 4, 7])
def test_no_draw_is_repeated(make, batch):
    values = _values(make(), batch)
    assert len(values) == COPIES
    assert len(np.unique(values)) == COPIES
    assert abs(values.mean() - 176.5) < 4.0 * 153.0 / np.sqrt(12 * COPIES)


def test_the_seed_decides_the_draws():
    ours, same, others = [np.sort(_values(_brightness(seed))) for seed in (5, 5, 6)]
    assert np.array_equal(ours, same)
    assert not np.array_equal(ours, others)


def test_an_epoch_later_the_draws_are_others():
    layer = _brightness()
    assert not np.intersect1d(_values(layer), _values(layer)).size


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="another backend's Sequential cannot take TensorFlow tensors",
)
@pytest.mark.parametrize("batch", [None, 4])
def test_a_sequential_of_layers_draws_for_each_element(batch):
    flip = augment.RandomFlip("horizontal", seed=1)
    model = keras.Sequential([flip, _brightness(), augment.Rescaling(1.0)])

    def train(images):
        return model(images, training=True)

    values = _values(train, batch)
    assert len(np.unique(values)) == COPIES


def test_labels_of_any_dtype_pass_beside_the_images():
    inputs = {
        "images": np.zeros((4, 6, 8, 3), "uint8"),
        "labels": np.full((4,), 40001, "int64"),
        "file": np.array(["a", "b", "c", "d"]),
    }
    dataset = tf.data.Dataset.from_tensor_slices(inputs)
    layer = augment.RandomRotation(0.1, dtype="mixed_float16")
    for batched in (dataset, dataset.batch(4)):
        out = next(iter(batched.map(layer, num_parallel_calls=tf.data.AUTOTUNE)))
        assert out["images"].dtype == tf.float16
        assert out["labels"].dtype == tf.int64
        assert np.all(out["labels"].numpy() == 40001)
        assert out["file"].dtype == tf.string


def test_a_pipeline_compiled_in_tf_data_equals_eager():
    op, arguments = next(row for row in CASES if row[0] is augment.Pipeline)
    make = functools.partial(build, op, arguments, bounding_box_format="xyxy")
    check_programs_in_tf_data_equal_eager(make)


def test_an_explicit_training_argument_is_obeyed():
    layer = augment.RandomInvert()
    dataset = tf.data.Dataset.from_tensors(PIXEL)
    for training, value in ((True, 155.0), (False, 100.0), (None, 155.0)):
        mapped = dataset.map(lambda x, training=training: layer(x, training=training))
        assert next(iter(mapped)).numpy()[0, 0, 0] == value


def test_autograph_rewrites_no_part_of_a_layer():
    files = set()

    class Looks(augment.RandomInvert):
        def check_inputs(self, inputs):
            files.add(inspect.currentframe().f_code.co_filename)

        def color(self, params):
            files.add(inspect.currentframe().f_code.co_filename)
            return super().color(params)

    layer = Looks()
    tf.data.Dataset.from_tensors(PIXEL).map(layer)
    tf.function(lambda x: layer(x))(tf.constant(PIXEL))
    assert files == {__file__}


def test_a_graph_of_another_backend_draws_at_every_call():
    layer = _brightness()
    call = tf.function(lambda x: layer(x))
    values = {float(call(tf.constant(PIXEL))[0, 0, 0]) for _ in range(20)}
    assert len(values) == 20


def test_boxes_in_any_number_compile_nothing():
    layer = augment.RandomFlip(bounding_box_format="xyxy")
    numbers = (1, 2, 3)

    def batches():
        for n in numbers:
            boxes = {"boxes": np.zeros((2, n, 4)), "labels": np.ones((2, n), "int32")}
            yield {"images": np.zeros((2, 4, 4, 3)), "bounding_boxes": boxes}

    spec = {
        "images": tf.TensorSpec([2, 4, 4, 3]),
        "bounding_boxes": {
            "boxes": tf.TensorSpec([2, None, 4]),
            "labels": tf.TensorSpec([2, None], "int32"),
        },
    }
    dataset = tf.data.Dataset.from_generator(batches, output_signature=spec).map(layer)
    seen = [out["bounding_boxes"]["boxes"].shape[1] for out in dataset]
    assert seen == list(numbers)
    assert layer.program_count == 0


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="tf.distribute is TensorFlow's"
)
@pytest.mark.slow
def test_replicas_draw_each_their_own():
    program = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(
    cpu, [tf.config.LogicalDeviceConfiguration()] * 2
)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
from perfkit import augment
with strategy.scope():
    layer = augment.RandomBrightness((0.0, 0.6), seed=5)
    layer._uncompiled = True
pixel = tf.fill((1, 1, 1, 1), 100.0)
run = tf.function(lambda: strategy.run(layer, (pixel,)))
results = [strategy.experimental_local_results(run()) for _ in range(3)]
values = [float(tf.squeeze(x)) for step in results for x in step]
assert len(set(values)) == 6, values
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
