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
    of_the_base,
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


@of_the_base
@compiled
def check_compiles_in_a_step(make):
    layer = pinned(make())
    inputs = full_inputs()

    def step(inputs):
        return layer(inputs)

    out = _backend.compiled(step)(inputs)
    assert_same(out, uncompiled(layer, inputs), atol=0.05, strays=STRAYS)


@of_the_base
def check_leaves_jit_on(make):
    """Keras turns it off for a model if a layer does not support it."""
    layer = make()
    assert all(part.supports_jit for part in [layer, *getattr(layer, "layers", [])])


@applies_to(stands_for_its_family)
@compiled
def check_keeps_jit_in_fit(make):
    layer = make()
    inputs = {"images": keras.Input(IMAGES.shape[1:], name="images")}
    feed = {"images": IMAGES.astype("float32")}
    if layer.mixes:
        inputs["labels"] = keras.Input((), dtype="int32", name="labels")
        labelled = with_labels(feed["images"])
        feed = {key: labelled[key] for key in inputs}
        images = layer(inputs)["images"]
    else:
        images = layer(inputs["images"])
    outputs = keras.layers.Dense(1)(keras.layers.GlobalAveragePooling2D()(images))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(1e-6), "mse", jit_compile=True)
    model.fit(feed, np.zeros((4, 1)), batch_size=2, verbose=0)
    assert model.jit_compile is True
