"""Normalization by responses and by filters, against the papers' formulas in NumPy."""

import keras
import numpy as np
import pytest

from perfkit import layers
from tests.layer_conformance.common import numpy, set_weights

SHAPES = [(2, 5, 4), (2, 3, 5, 4), (2, 2, 3, 2, 4)]


def features(shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def built(layer, x):
    layer(x)
    set_weights(layer)
    return layer, [numpy(weight).astype("float64") for weight in layer.weights]


def places(x):
    return tuple(range(1, x.ndim - 1))


@pytest.mark.parametrize("shape", SHAPES)
def test_global_response_normalization_is_the_papers(shape):
    x = features(shape)
    layer, (gamma, beta) = built(layers.GlobalResponseNormalization(epsilon=1e-3), x)
    norms = np.sqrt(np.sum(x.astype("float64") ** 2, axis=places(x), keepdims=True))
    responses = norms / (norms.mean(axis=-1, keepdims=True) + 1e-3)
    wanted = gamma * (x * responses) + beta + x
    np.testing.assert_allclose(numpy(layer(x)), wanted, rtol=1e-5, atol=1e-6)


def test_global_response_normalization_begins_as_the_identity():
    x = features(SHAPES[1])
    np.testing.assert_array_equal(numpy(layers.GlobalResponseNormalization()(x)), x)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("learned", [False, True])
def test_filter_response_normalization_is_the_papers(shape, learned):
    x = features(shape)
    made = layers.FilterResponseNormalization(epsilon=1e-3, learned_epsilon=learned)
    layer, weights = built(made, x)
    if learned:
        weights[2] = np.array([-0.5, 0.2, -0.1, 0.4])
        layer.set_weights(weights)
    gamma, beta = weights[:2]
    more = np.abs(weights[2]) if learned else 0.0
    square = np.mean(x.astype("float64") ** 2, axis=places(x), keepdims=True)
    wanted = gamma * x / np.sqrt(square + 1e-3 + more) + beta
    np.testing.assert_allclose(numpy(layer(x)), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 4), *SHAPES])
def test_a_thresholded_linear_unit_is_a_maximum(shape):
    x = features(shape)
    layer, (threshold,) = built(layers.ThresholdedLinearUnit(), x)
    np.testing.assert_array_equal(
        numpy(layer(x)), np.maximum(x, threshold.astype("float32"))
    )


def test_a_thresholded_linear_unit_begins_as_a_relu():
    x = features(SHAPES[1])
    layer = layers.ThresholdedLinearUnit()
    np.testing.assert_array_equal(numpy(layer(x)), np.maximum(x, 0.0))


@pytest.mark.parametrize(
    "layer", [layers.GlobalResponseNormalization, layers.FilterResponseNormalization]
)
def test_channels_of_zeros_have_slopes(layer):
    """As behind a ReLU that lets nothing through."""
    x = features(SHAPES[1])
    x[..., 1] = 0.0
    one = layer()
    model = keras.Sequential(
        [keras.Input(x.shape[1:]), keras.layers.Dense(4, name="before"), one]
    )
    before = model.get_layer("before")
    kernel = np.eye(4, dtype="float32")
    kernel[:, 1] = 0.0
    before.set_weights([kernel, np.zeros(4)])
    if one.gamma.shape:
        one.gamma.assign(np.ones(4))
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    model.fit(x, np.ones_like(x), verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize(
    ("layer", "arguments", "message"),
    [
        ("GlobalResponseNormalization", {"epsilon": 0}, "a finite number above 0"),
        ("FilterResponseNormalization", {"epsilon": -1}, "a finite number above 0"),
        ("ThresholdedLinearUnit", {"data_format": "first"}, "one of"),
    ],
)
def test_a_wrong_argument_is_named(layer, arguments, message):
    (name,) = arguments
    with pytest.raises(ValueError, match=rf"`{layer}\({name}=...\)` must be {message}"):
        getattr(layers, layer)(**arguments)
