"""Layers that join modalities against their papers, and what absent ones do."""

import keras
import numpy as np
import pytest

from perfkit import _backend, fusion
from tests import fusion_cases as cases

EVERY = pytest.mark.parametrize("name", cases.CASES)


def test_every_layer_has_a_case():
    classes = {
        value
        for value in vars(fusion).values()
        if isinstance(value, type) and issubclass(value, fusion.Fusion)
    }
    others = {fusion.Fusion, fusion.Projecting, fusion.ModalityDropout}
    covered = {
        type(make()) if isinstance(make, type) else make.func
        for make, _, _ in cases.CASES.values()
    }
    assert covered == classes - others


@EVERY
def test_it_is_the_formula_of_its_paper(name):
    layer, (_, shapes, _) = cases.built(name), cases.CASES[name]
    parts = cases.inputs(shapes)
    table = np.ones((5, len(shapes)), bool)
    found = cases.arrays(layer(parts))
    for one, other in zip(found, cases.wanted(name, layer, parts, table), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@EVERY
def test_a_sample_without_a_modality_is_the_formula_of_the_others(name):
    layer, (_, shapes, _) = cases.built(name), cases.CASES[name]
    parts, table = cases.inputs(shapes), cases.presence(len(shapes))
    found = cases.arrays(layer(parts, present=table))
    for one, other in zip(found, cases.wanted(name, layer, parts, table), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "bottleneck" else ())
        for name in cases.CASES  # of which one has as much to it as three others
    ],
)
def test_what_an_absent_modality_holds_has_no_influence_and_no_gradient(name):
    layer, (_, shapes, _) = cases.built(name), cases.CASES[name]
    parts, table = cases.inputs(shapes), cases.presence(len(shapes))
    before = cases.arrays(layer(parts, present=table))
    for number, x in enumerate(parts):
        x[~table[:, number]] = np.nan
    for one, other in zip(
        cases.arrays(layer(parts, present=table)), before, strict=True
    ):
        np.testing.assert_array_equal(one, other)

    def loss(tensors, present):
        outputs = keras.tree.flatten(layer(tensors, present=present))
        return sum(keras.ops.sum(keras.ops.square(x)) for x in outputs)

    tensors = [keras.ops.convert_to_tensor(x) for x in parts]
    present = keras.ops.convert_to_tensor(table)
    gradients = cases.arrays(_backend.differentiated(loss)(tensors, present))
    for number, gradient in enumerate(gradients):
        assert (gradient[~table[:, number]] == 0.0).all()
        assert np.isfinite(gradient).all()
        assert (gradient[table[:, number]] != 0.0).any()


@EVERY
def test_shapes_are_foretold_with_sizes_unknown(name):
    layer, (make, shapes, _) = cases.built(name), cases.CASES[name]
    found = cases.arrays(layer(cases.inputs(shapes)))
    told = layer.compute_output_shape([(None, *shape) for shape in shapes])
    told = told if isinstance(told, list) else [told]
    assert [tuple(s[1:]) for s in told] == [x.shape[1:] for x in found]
    symbolic = keras.tree.flatten(make()([keras.Input(shape) for shape in shapes]))
    assert [x.shape[1:] for x in symbolic] == [x.shape[1:] for x in found]


@pytest.mark.parametrize("name", ["mean_units", "cross", "mmtm"])
def test_a_dictionary_is_in_the_order_of_its_names(name):
    layer, (_, shapes, _) = cases.built(name), cases.CASES[name]
    parts, table = cases.inputs(shapes), cases.presence(len(shapes))
    keys = ["audio", "image", "text"][: len(parts)]
    turned = dict(reversed(list(zip(keys, parts, strict=True))))
    outputs = layer(turned, present=table)
    if isinstance(outputs, dict):
        outputs = [outputs[key] for key in keys]
    for one, other in zip(
        cases.arrays(outputs), cases.arrays(layer(parts, present=table)), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        pytest.param(name, dtype, marks=() if is_first else pytest.mark.slow)
        for name in cases.CASES
        for dtype, is_first in (
            ("mixed_bfloat16", "_" not in name),  # the first case of a layer
            ("mixed_float16", False),
        )
    ],
)
def test_it_keeps_to_its_dtype(name, dtype):
    exact, half = cases.built(name), cases.built(name, dtype=dtype)
    parts = cases.inputs(cases.CASES[name][1])
    table = cases.presence(len(parts))
    pairs = zip(
        keras.tree.flatten(half(parts, present=table)),
        cases.arrays(exact(parts, present=table)),
        strict=True,
    )
    for found, other in pairs:
        assert keras.backend.standardize_dtype(found.dtype) == dtype[6:]
        close = cases.arrays(found)[0].astype("float32")
        scale = np.abs(other).max() + 1e-3
        np.testing.assert_allclose(close / scale, other / scale, atol=0.06)


def test_film_and_mmtm_begin_as_the_identity():
    for layer, shapes in (
        (fusion.FiLM(), cases.MAPS[::2]),
        (fusion.MMTM(), cases.MAPS),
    ):
        parts = cases.inputs(shapes)
        found = cases.arrays(layer(parts))
        for one, other in zip(found, parts, strict=False):
            np.testing.assert_array_equal(one, other)


def test_softmax_of_large_scores_is_finite():
    layer = fusion.AttentionFusion(dtype="mixed_float16")
    layer.build([(None, 2)] * 2)
    layer.set_weights([np.full(w.shape, 3e4) for w in layer.get_weights()])
    outputs = cases.arrays(layer([np.ones((1, 2)), np.full((1, 2), 3.0)]))
    np.testing.assert_allclose(outputs[0], 2.0)


def test_attention_can_be_looked_at():
    layer, (_, shapes, _) = cases.built("attention"), cases.CASES["attention"]
    parts, table = cases.inputs(shapes), cases.presence(3)
    weights = cases.arrays(layer.attention(parts, table))[0]
    np.testing.assert_allclose(weights.sum(1), table.any(1), rtol=1e-6)
    assert (weights[~table] == 0.0).all()
    values = [
        cases.arrays(p(x))[0] for p, x in zip(layer.projections, parts, strict=True)
    ]
    joined = np.einsum("bm,bmc->bc", weights, np.stack(values, axis=1))
    found = cases.arrays(layer(parts, present=table))[0]
    np.testing.assert_allclose(joined, found, rtol=1e-5, atol=1e-6)


def test_low_rank_fusion_is_a_dense_layer_behind_the_tensor():
    """With one term for each product, any tensor of weights is of its rank."""
    parts = cases.inputs([(2,), (3,)])
    low_rank = fusion.LowRankFusion(4, rank=3)
    low_rank.build([(None, 2), (None, 3)])
    rng = np.random.default_rng(3)
    low_rank.set_weights([rng.normal(size=w.shape) for w in low_rank.get_weights()])
    first, second = (
        np.concatenate(
            [cases.arrays(f.kernel)[0], cases.arrays(f.bias)[0][None]]
        ).reshape(-1, 3, 4)
        for f in low_rank.factors
    )
    weights = np.einsum("iru,jru->iju", first, second).reshape(12, 4)
    products = cases.arrays(fusion.TensorFusion()(parts))[0]
    bias = cases.arrays(low_rank.bias)[0]
    np.testing.assert_allclose(
        cases.arrays(low_rank(parts))[0],
        products @ weights + bias,
        rtol=1e-4,
        atol=1e-5,
    )


@EVERY
def test_a_config_makes_the_same_layer(name):
    layer = cases.built(name)
    again = type(layer).from_config(layer.get_config())
    again.build_from_config(layer.get_build_config())
    again.set_weights(layer.get_weights())
    parts = cases.inputs(cases.CASES[name][1])
    for one, other in zip(
        cases.arrays(again(parts)), cases.arrays(layer(parts)), strict=True
    ):
        np.testing.assert_array_equal(one, other)
