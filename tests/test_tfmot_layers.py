"""Layers of Keras 3 compute what their twins of Keras 2 do."""

import keras
import numpy as np
import pytest

from perfkit.compress import tfmot
from perfkit.compress.tfmot import _layers
from tests.tfmot_cases import CASES, assert_same

layers = keras.layers


MERGING = (
    layers.Add,
    layers.Attention,
    layers.Average,
    layers.Concatenate,
    layers.Dot,
    layers.Maximum,
    layers.Minimum,
    layers.Multiply,
    layers.Subtract,
)


def called(make, *shapes):
    """Return a model of one layer, with random weights, and inputs for it."""
    rng = np.random.default_rng(0)
    inputs = [keras.Input(shape) for shape in shapes]
    layer = make()
    if shapes == ((),):
        inputs = [keras.Input((5,), dtype="int32")]
    merges = isinstance(layer, MERGING)
    outputs = layer(inputs) if merges else layer(*inputs)
    model = keras.Model(inputs[0] if len(inputs) == 1 else inputs, outputs)
    for weight in model.weights:
        weight.assign(rng.uniform(0.1, 1.0, weight.shape))
    arrays = [rng.normal(0.0, 1.5, (2, *x.shape[1:])).astype(x.dtype) for x in inputs]
    arrays = [np.abs(x) if x.dtype == "int32" else x for x in arrays]
    return model, arrays[0] if len(arrays) == 1 else arrays


def test_each_layer_that_has_a_twin_has_a_case():
    assert set(CASES) == _layers.SUPPORTED


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_twin_computes_the_same_and_gives_its_weights_back(name):
    model, data = called(*CASES[name])
    twin = tfmot.to_tf_keras(model)
    assert_same(model, twin, data)
    back = tfmot.from_tf_keras(twin, like=model)
    for ours, theirs in zip(model.weights, back.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
