"""Compiled programs, and `tf.data` under every backend."""

import keras
import numpy as np
import tensorflow as tf

from perfkit import _backend
from tests.array_conformance.kinds import (
    full_inputs,
    has_rate,
    is_typical,
    main_of,
    parts,
    slow_unless,
)
from tests.array_conformance.saving import model_of
from tests.conformance.common import applies_to, assert_same, compiled, pinned
from tests.conformance.programs import uncompiled


def _step(layer, inputs):
    out = _backend.compiled(lambda inputs: layer(inputs))(inputs)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, out)


@slow_unless(is_typical)
@compiled
def check_compiles_in_a_step(make):
    layer = pinned(make())
    inputs = full_inputs(layer)
    assert_same(_step(layer, inputs), uncompiled(layer, inputs), atol=1e-4)


def check_host_equals_device(make):
    layer = make()
    inputs = full_inputs(layer)
    params = layer.sample(4, seed=3)
    host = layer.on_host(inputs, params)
    assert all(isinstance(x, np.ndarray) for x in keras.tree.flatten(host))
    device = layer.apply(inputs, params)
    device = keras.tree.map_structure(keras.ops.convert_to_numpy, device)
    assert_same(host, device, atol=1e-4)


def check_leaves_jit_on(make):
    """Keras turns it off for a model if a layer does not support it."""
    assert all(part.supports_jit for part in parts(make()))


@applies_to(is_typical)
@compiled
def check_keeps_jit_in_fit(make):
    body, feed = model_of(make())
    inputs = body.input
    values = keras.ops.cast(body(inputs), "float32")
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(values))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(1e-6), "mse", jit_compile=True)
    model.fit(feed, np.zeros((4, 1)), batch_size=2, verbose=0)
    assert model.jit_compile is True


def _mapped(layer, dataset):
    dataset = dataset.map(layer, num_parallel_calls=tf.data.AUTOTUNE)
    return keras.tree.map_structure(np.asarray, next(iter(dataset)))


@slow_unless(is_typical)
def check_batches_in_tf_data_equal_eager(make):
    layer = pinned(make())
    file = np.array(["a", "b", "c", "d"])
    inputs = full_inputs(layer)
    out = _mapped(layer, tf.data.Dataset.from_tensors({**inputs, "file": file}))
    assert out.pop("file").tolist() == [b"a", b"b", b"c", b"d"]
    assert_same(out, uncompiled(layer, inputs), atol=1e-4)


@slow_unless(has_rate)
def check_unknown_sizes_in_tf_data_equal_eager(make):
    layer = pinned(make())
    inputs = full_inputs(layer)
    sized = main_of(layer) == "features"

    def spec(x):
        known = x.shape[1:] if sized else (None, *x.shape[2:])[: x.ndim - 1]
        return tf.TensorSpec((None, *known), x.dtype)

    signature = {key: spec(x) for key, x in inputs.items()}
    dataset = tf.data.Dataset.from_generator(
        lambda: [inputs], output_signature=signature
    )
    assert_same(_mapped(layer, dataset), uncompiled(layer, inputs), atol=1e-4)
    assert sized or layer.program_count == 0
