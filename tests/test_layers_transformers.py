"""Gated dense layers and rotary embeddings, against the papers' formulas in NumPy."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

from perfkit import layers
from tests.layer_conformance.common import numpy, set_weights

GATES = {
    "SwiGLU": lambda x: x * scipy.special.expit(x),
    "GEGLU": lambda x: x * scipy.stats.norm.cdf(x),
}


def drawn(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kind", GATES)
def test_gated_dense_layers_are_the_papers(kind, use_bias):
    x = drawn(2, 5, 4)
    layer = getattr(layers, kind)(3, output_units=6, use_bias=use_bias)
    layer(x)
    set_weights(layer)
    weights = [numpy(weight).astype("float64") for weight in layer.weights]
    if not use_bias:
        weights = [weights[0], np.zeros(6), weights[1], np.zeros(6)]
    expand, shift, reduce, offset = weights
    both = x @ expand + shift
    wanted = (GATES[kind](both[..., :3]) * both[..., 3:]) @ reduce + offset
    np.testing.assert_allclose(numpy(layer(x)), wanted, rtol=1e-5, atol=1e-6)


def test_by_default_there_are_about_as_many_weights_as_with_two_dense_layers():
    layer = layers.SwiGLU(use_bias=False)
    layer.build((None, 5, 48))
    assert layer.count_params() == 3 * 48 * 128
    assert layer.count_params() == 2 * 48 * (4 * 48)


def test_an_initializer_is_kept():
    layer = layers.GEGLU(kernel_initializer=keras.initializers.Constant(0.5))
    copy = layers.GEGLU.from_config(layer.get_config())
    copy.build((None, 4))
    assert np.all(numpy(copy.expand.kernel) == 0.5)


def turned(x, positions, base, interleaved):
    """Pairs as complex numbers, times e to the power of i angle."""
    size = x.shape[-1]
    speeds = base ** (-np.arange(0, size, 2) / size)
    turn = np.exp(1j * np.asarray(positions, "float64")[..., None] * speeds)
    if interleaved:
        pairs = (x[..., 0::2] + 1j * x[..., 1::2]) * turn
        return np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)
    pairs = (x[..., : size // 2] + 1j * x[..., size // 2 :]) * turn
    return np.concatenate([pairs.real, pairs.imag], axis=-1)


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("base", [10000.0, 50.0])
def test_a_rotary_embedding_turns_pairs(interleaved, base):
    x = drawn(2, 7, 6)
    layer = layers.RotaryEmbedding(base, interleaved=interleaved)
    wanted = turned(x, np.arange(7), base, interleaved)
    np.testing.assert_allclose(numpy(layer(x)), wanted, atol=1e-5)
    heads = np.stack([x, 2.0 * x], axis=2)
    np.testing.assert_allclose(
        numpy(layer(heads)), np.stack([wanted, 2.0 * wanted], axis=2), atol=1e-5
    )


@pytest.mark.parametrize("of_samples", [True, False])
def test_positions_can_be_said(of_samples):
    x = drawn(2, 3, 4, 6)
    positions = np.array([[5.0, 0.0, 2.5], [1.0, 2.0, 100.0]])
    if not of_samples:
        positions = positions[0]
    found = layers.RotaryEmbedding()(x, positions=positions)
    each = np.broadcast_to(positions, (2, 3))[:, :, None]
    np.testing.assert_allclose(
        numpy(found), turned(x, each, 1e4, True), rtol=1e-5, atol=1e-5
    )


def test_products_depend_on_how_far_steps_are_apart():
    query, key, layer = drawn(1, 1, 8), drawn(1, 2, 8)[:, 1:], layers.RotaryEmbedding()

    def product(here, there):
        one = layer(query, positions=np.array([float(here)]))
        other = layer(key, positions=np.array([float(there)]))
        return float(np.sum(numpy(one) * numpy(other)))

    assert product(2, 9) == pytest.approx(product(102, 109), abs=1e-4)
    assert product(2, 9) != pytest.approx(product(2, 10), abs=1e-2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.SwiGLU(0), r"`SwiGLU\(units=...\)` must be a whole number"),
        (lambda: layers.GEGLU(output_units=1.5), r"`GEGLU\(output_units=...\)`"),
        (lambda: layers.RotaryEmbedding(1.0), r"`RotaryEmbedding\(base=...\)`"),
        (
            lambda: layers.RotaryEmbedding()(np.zeros((1, 2, 3))),
            r"must be an even size of the last axis. Received: inputs=\(1, 2, 3\)",
        ),
    ],
)
def test_a_wrong_argument_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
