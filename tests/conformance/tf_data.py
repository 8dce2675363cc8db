"""Inside a `tf.data` pipeline, under every backend."""

import keras
import numpy as np
import tensorflow as tf

from tests.conformance.common import (
    applies_to,
    assert_same,
    compiled,
    full_inputs,
    of_the_base,
    pinned,
    slow,
    stands_for_its_family,
)
from tests.conformance.programs import STRAYS, uncompiled


def _first(dataset):
    return keras.tree.map_structure(np.asarray, next(iter(dataset)))


def _mapped(dataset, layer):
    return dataset.map(layer, num_parallel_calls=tf.data.AUTOTUNE)


def _inputs():
    return full_inputs(file=np.array(["a", "b", "c", "d"]))


def _numbers(outputs):
    return {key: value for key, value in outputs.items() if key != "file"}


@applies_to(stands_for_its_family)
def check_batches_in_tf_data_equal_eager(make):
    layer = pinned(make())
    dataset = tf.data.Dataset.from_tensors(_inputs())
    out = _first(_mapped(dataset, layer))
    assert out["file"].tolist() == [b"a", b"b", b"c", b"d"]
    eager = uncompiled(layer, full_inputs())
    assert_same(_numbers(out), eager, atol=0.05, strays=STRAYS)


def _compiles_apart(op):
    """Under another backend all programs here are of the same TensorFlow functions."""
    native = keras.backend.backend() == "tensorflow"
    return native or stands_for_its_family(op)


@slow
@applies_to(_compiles_apart)
@compiled
def check_programs_in_tf_data_equal_eager(make):
    check_batches_in_tf_data_equal_eager(make)


@of_the_base
def check_unknown_sizes_in_tf_data_equal_eager(make):
    """Single images, as a file is decoded, where the operation takes them."""
    layer = pinned(make())
    inputs = full_inputs()
    if not layer.mixes:
        inputs = keras.tree.map_structure(lambda x: x[0], inputs)
    eager = layer(inputs)
    inputs = dict(inputs)
    images = inputs.pop("images")
    spec = tf.TensorSpec([None] * (images.ndim - 1) + [3], tf.uint8)
    dataset = tf.data.Dataset.from_generator(lambda: [images], output_signature=spec)
    out = _first(_mapped(dataset, lambda images: layer({**inputs, "images": images})))
    assert_same(out, eager, atol=0.05, strays=STRAYS)
