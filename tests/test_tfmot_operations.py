"""Operations on the tensors of a Keras 3 model compute what their twins do."""

import keras
import numpy as np
import pytest

from perfkit.compress import tfmot
from perfkit.compress.tfmot import _operations
from tests.tfmot_cases import assert_same

layers, ops = keras.layers, keras.ops

CASES = {
    "Absolute": lambda x, y: abs(x),
    "Add": lambda x, y: (x + y) + (2.0 + x + 0.5),
    "Concatenate": lambda x, y: ops.concatenate([x, y], axis=2),
    "Divide": lambda x, y: ops.divide(x, 3.0 + y),
    "Exp": lambda x, y: ops.exp(x),
    "ExpandDims": lambda x, y: ops.expand_dims(x, axis=1),
    "GetItem": lambda x, y: x[:, None, 1:, ::-1][..., :2],
    "HardSigmoid": lambda x, y: ops.hard_sigmoid(3.0 * x),
    "HardSilu": lambda x, y: ops.hard_silu(3.0 * x),
    "Log": lambda x, y: ops.log(abs(x)),
    "Maximum": lambda x, y: ops.maximum(ops.maximum(x, y), 0.1),
    "Mean": lambda x, y: ops.mean(x, axis=-1, keepdims=True),
    "Minimum": lambda x, y: ops.minimum(ops.minimum(x, y), 0.1),
    "Multiply": lambda x, y: (x * y[:, :, :1]) * (2.0 * x * np.float32(0.3)),
    "Negative": lambda x, y: -x,
    "Power": lambda x, y: x**2.0,
    "Relu": lambda x, y: ops.relu(x),
    "Relu6": lambda x, y: ops.relu6(5.0 * x),
    "Rsqrt": lambda x, y: ops.rsqrt(abs(x)),
    "Sigmoid": lambda x, y: ops.sigmoid(x),
    "Silu": lambda x, y: ops.silu(x),
    "Softplus": lambda x, y: ops.softplus(x),
    "Sqrt": lambda x, y: ops.sqrt(abs(x)),
    "Square": lambda x, y: ops.square(x),
    "Subtract": lambda x, y: (x - y) - (2.0 - (x - 0.5)),
    "Sum": lambda x, y: ops.sum(x, axis=(1, 2)),
    "Tanh": lambda x, y: ops.tanh(x),
    "TrueDivide": lambda x, y: (x / (3.0 + y)) / 7.0,
}


def test_each_operation_that_has_a_twin_has_a_case():
    known = {*_operations._FUNCTIONS, *_operations._SETTINGS, *_operations._ACTIVATIONS}
    assert set(CASES) == {"GetItem", *known}


@pytest.mark.parametrize("name", CASES)
def test_a_twin_computes_the_same(name):
    inputs = [keras.Input((4, 3)), keras.Input((4, 3))]
    rest = layers.Identity()(inputs[1])  # Keras wants every input to be used
    model = keras.Model(inputs, [CASES[name](*inputs), rest])
    assert any(type(one).__name__ == name for one in model.operations)
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(5, 4, 3)).astype("float32") for _ in inputs]
    assert_same(model, tfmot.to_tf_keras(model), data, tolerance=1e-6)


def test_ranks_and_arrays_and_whole_numbers_are_met_as_in_numpy():
    floats, numbers = keras.Input((4, 3)), keras.Input((3,), dtype="int32")
    outputs = [
        floats + ops.mean(floats),
        floats * np.array([1.0, 2.0, 3.0], "float32"),
        floats * ops.arange(3, dtype="float32"),
        numbers * 2 - numbers * numbers,
    ]
    model = keras.Model([floats, numbers], outputs)
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(4, 4, 3)).astype("float32"), rng.integers(0, 9, (4, 3))]
    assert_same(model, tfmot.to_tf_keras(model), data, tolerance=1e-6)


@pytest.mark.slow
def test_tfmot_takes_a_model_with_arithmetic_whole():
    inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
    model = keras.Model(inputs, ops.relu(x + inputs))
    twin = tfmot.to_tf_keras(model)
    pruned = tfmot.sparsity.keras.prune_low_magnitude(twin)
    assert pruned.get_layer("prune_low_magnitude_conv")
    quantized = tfmot.quantization.keras.quantize_model(tfmot.to_tf_keras(model))
    assert quantized.get_layer("quant_conv")
