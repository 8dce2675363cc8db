"""Compiled programs: in a step, in `fit`, on their own."""

import keras
import numpy as np

from perfkit import _backend
from tests.conformance.common import (
    IMAGES,
    applies_to,
    assert_same,
    compiled,
    full_inputs,
    pinned,
    stands_for_its_family,
    with_labels,
)

STRAYS = 0.01


def uncompiled(layer, inputs):
    layer._uncompiled = True
    try:
        return layer(inputs)
    finally:
        layer._uncompiled = False


@compiled
def check_compiles_in_a_step(make):
    layer = pinned(make())
    inputs = full_inputs()

    def step(inputs):
        return layer(inputs)

    out = _backend.compiled(step)(inputs)
    assert_same(out, uncompiled(layer, inputs), atol=0.05, strays=STRAYS)


def _model(layer):
    inputs = {"images": keras.Input(IMAGES.shape[1:], name="images")}
    if layer.mixes:
        inputs["labels"] = keras.Input((), dtype="int32", name="labels")
        images = layer(inputs)["images"]
    else:
        images = layer(inputs["images"])
    outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(images))
    return keras.Model(inputs, outputs)


def check_leaves_jit_on(make):
    model = _model(make())
    model.compile("sgd", "mse")  # Keras asks the layers
    assert model.jit_compile is True


@applies_to(stands_for_its_family)
@compiled
def check_keeps_jit_in_fit(make):
    layer = make()
    model = _model(layer)
    model.compile(keras.optimizers.SGD(1e-6), "mse", jit_compile=True)
    images = IMAGES.astype("float32")
    feed = with_labels(images) if layer.mixes else {"images": images}
    model.fit(feed, np.zeros((4, 1)), batch_size=2, verbose=0)
    assert model.jit_compile is True
