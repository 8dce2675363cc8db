"""Kernels as products of two thin ones: the same function, or the nearest of a rank."""

import re

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.ops import factors
from tests.support import networks
from tests.support.compressing import ON_TENSORFLOW, value

layers = keras.layers
RNG = np.random.default_rng(0)


def thin(model, **options):
    return compress.low_rank(model, verbose=False, **options)


def model_of(layer, shape):
    return keras.Sequential([keras.Input(shape), layer])


def product(shape, rank, spatial=False):
    """A kernel of this rank, of all places by outputs, or of columns by rows."""
    *places, ins, outs = shape
    if spatial:
        height, width = places
        table = RNG.normal(size=(height * ins, rank))
        table = table @ RNG.normal(size=(rank, width * outs))
        return table.reshape(height, ins, width, outs).transpose(0, 2, 1, 3)
    left = RNG.normal(size=(*places, ins, rank))
    return left @ RNG.normal(size=(rank, outs))


CASES = {
    "dense": (layers.Dense(12, activation="relu"), (10,), False),
    "dense of sequences": (layers.Dense(12, use_bias=False), (5, 10), False),
    "causal": (layers.Conv1D(12, 3, padding="causal", dilation_rate=2), (9, 6), False),
    "strides": (layers.Conv2D(12, 3, strides=(2, 1), padding="same"), (9, 8, 6), False),
    "dilation": (layers.Conv2D(12, 3, dilation_rate=(1, 2)), (9, 9, 6), False),
    "size 1": (layers.Conv2D(12, 1, strides=2), (9, 9, 10), False),
    "volumes": (layers.Conv3D(12, 2, activation="tanh"), (4, 4, 4, 6), False),
    "groups": (layers.Conv2D(18, 3, groups=2, padding="same"), (8, 8, 12), False),
    "rows": (layers.Conv2D(12, (3, 5), activation="relu"), (9, 9, 6), True),
    "rows, strides": (
        layers.Conv2D(12, 3, strides=(2, 1), padding="same"),
        (9, 8, 6),
        True,
    ),
    "rows, dilation": (layers.Conv2D(12, 3, dilation_rate=(1, 2)), (9, 9, 6), True),
    "rows, groups": (layers.Conv2D(18, 3, groups=2), (8, 8, 12), True),
}
if not ON_TENSORFLOW:  # which has no such convolution on the CPU
    first = {"data_format": "channels_first"}
    CASES["first"] = (layers.Conv2D(12, 3, strides=2, **first), (6, 9, 9), False)
    CASES["rows, first"] = (layers.Conv2D(12, 3, **first), (6, 9, 8), True)


@pytest.mark.parametrize("case", CASES)
def test_a_kernel_of_that_rank_stays_the_same_function(case):
    layer, shape, spatial = CASES[case]
    model = model_of(type(layer).from_config(layer.get_config()), shape)
    (layer,) = model.layers
    groups = getattr(layer, "groups", 1)
    part = (*layer.kernel.shape[:-1], layer.kernel.shape[-1] // groups)
    parts = [product(part, 3, spatial) for _ in range(groups)]
    layer.kernel.assign(np.concatenate(parts, axis=-1))
    if layer.use_bias:
        layer.bias.assign(RNG.normal(size=layer.bias.shape))
    small = thin(model, energy=1.0, spatial=spatial)
    assert [one.name for one in small.layers] == [f"{layer.name}_thin", layer.name]
    assert [
        one.kernel.shape[k] for one, k in zip(small.layers, (-1, -2), strict=True)
    ] == [
        3 * groups,
        3,
    ]
    assert small.count_params() < model.count_params()
    x = RNG.normal(size=(3, *shape)).astype("float32")
    ours, theirs = networks.outputs(small, x), networks.outputs(model, x)
    assert networks.apart(ours, theirs) < 1e-5


def whole(small, axes):
    """The kernel that two layers have together."""
    first, second = (value(layer.kernel) for layer in small.layers[:2])
    return np.tensordot(first, second, axes)


@pytest.mark.parametrize("energy", [0.5, 0.8])
def test_what_is_left_out_are_the_least_singular_values(energy):
    model = model_of(layers.Conv2D(32, 3), (8, 8, 16))
    kernel = value(model.layers[0].kernel)
    small = thin(model, energy=energy)
    rank = small.layers[0].filters
    squares = np.linalg.svd(kernel.reshape(-1, 32), compute_uv=False) ** 2
    shares = np.cumsum(squares) / squares.sum()
    assert shares[rank - 2] < energy <= shares[rank - 1]
    near = whole(small, ([3], [2]))[:, :, :, 0, 0]
    error = np.square(near - kernel).sum()
    assert error == pytest.approx(squares[rank:].sum(), rel=1e-4)


def test_what_is_left_out_of_columns_and_rows_are_theirs():
    model = model_of(layers.Conv2D(24, 3), (8, 8, 16))
    kernel = value(model.layers[0].kernel)
    small = thin(model, rank=20, spatial=True)
    table = kernel.transpose(0, 2, 1, 3).reshape(3 * 16, 3 * 24)
    squares = np.linalg.svd(table, compute_uv=False) ** 2
    near = whole(small, ([3], [2]))[:, 0, :, 0].transpose(0, 2, 1, 3)
    error = np.square(near - kernel).sum()
    assert error == pytest.approx(squares[20:].sum(), rel=1e-4)


@pytest.mark.parametrize(("rank", "expected"), [(5, 5), (0.25, 8), (0.001, 1)])
def test_a_rank_is_a_number_or_a_share(rank, expected):
    model = model_of(layers.Dense(32), (48,))
    assert thin(model, rank=rank).layers[0].units == expected


def spread(outputs):
    """Squared singular values of outputs without their means."""
    columns = outputs.reshape(-1, outputs.shape[-1]).astype("float64")
    return np.linalg.svd(columns - columns.mean(axis=0), compute_uv=False) ** 2


@pytest.mark.parametrize("use_bias", [True, False])
def test_with_data_least_of_what_comes_out_is_left_out(use_bias):
    scales = np.diag(10.0 ** -np.arange(24.0))
    inputs = RNG.normal(2.0, 1.0, size=(200, 24)) @ scales
    inputs = inputs @ np.linalg.qr(RNG.normal(size=(24, 24)))[0]
    model = model_of(layers.Dense(24, use_bias=use_bias), (24,))
    if use_bias:
        model.layers[0].bias.assign(np.full(24, 3.0))
    (outputs,) = networks.outputs(model, inputs)

    def lost(small):
        return np.square(networks.outputs(small, inputs)[0] - outputs).sum()

    blind, seeing = thin(model, rank=2), thin(model, rank=2, data=inputs)
    assert lost(seeing) == pytest.approx(spread(outputs)[2:].sum(), rel=0.02)
    assert lost(seeing) < 0.1 * lost(blind)
    (near,) = networks.outputs(seeing, inputs)
    np.testing.assert_allclose(near.mean(axis=0), outputs.mean(axis=0), atol=1e-4)
    assert thin(model, energy=0.9999, data=inputs).layers[0].units <= 3


@pytest.mark.parametrize("groups", [1, 2])
def test_data_are_for_convolutions_too(groups):
    inputs = RNG.normal(0.5, 1.0, size=(70, 6, 6, 16)) * np.geomspace(1.0, 1e-3, 16)
    convolution = layers.Conv2D(16, 3, strides=2, padding="same", groups=groups)
    model = keras.Sequential(
        [keras.Input((6, 6, 16)), convolution, layers.BatchNormalization()]
    )
    convolution.bias.assign(RNG.normal(size=16))
    (outputs,) = networks.outputs(
        keras.Model(model.inputs[0], convolution.output), inputs
    )
    small = thin(model, rank=4, data=inputs)
    assert small.layers[0].filters == 4 * groups
    first = keras.Model(small.inputs[0], small.layers[1].output)
    (near,) = networks.outputs(first, inputs)
    parts = np.split(outputs, groups, axis=-1)
    expected = sum(spread(part)[4:].sum() for part in parts)
    assert np.square(near - outputs).sum() == pytest.approx(expected, rel=1e-3)


def test_energy_is_over_all_groups():
    squares = np.array([[8.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    ranks = [factors.rank_of_energy(squares, share) for share in (0.5, 0.9, 0.95, 1.0)]
    assert ranks == [1, 1, 2, 2]


@pytest.mark.parametrize("make", networks.ALL)
def test_any_network_becomes_one_of_the_same_kind(make, tmp_path):
    model, x = networks.stirred(make()), networks.images()
    before = model.get_weights()
    small = thin(model, rank=0.25, strict=False)
    assert type(small) is type(model)
    assert small.count_params() < model.count_params()
    kinds = {
        type(layer).__module__.split(".")[0] for layer in networks.every_layer(small)
    }
    assert kinds == {"keras"}
    for old, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    shapes = [y.shape for y in networks.outputs(model, x)]
    assert [y.shape for y in networks.outputs(small, x)] == shapes
    small.save(tmp_path / "small.keras")
    again = keras.saving.load_model(tmp_path / "small.keras")
    ours, theirs = networks.outputs(again, x), networks.outputs(small, x)
    assert networks.apart(ours, theirs) < 1e-6


@pytest.mark.parametrize("make", [networks.nested, networks.with_operations])
def test_shared_and_nested_layers_are_exact_where_they_can_be(make):
    model, x = networks.stirred(make()), networks.images()
    found = {layer.name: layer for layer in networks.every_layer(model)}
    name = "inner" if "inner" in found else "shared"
    kernel = found[name].kernel
    kernel.assign(product(kernel.shape, 2) / 10)
    small = thin(model, energy=1.0, where=name)
    names = [layer.name for layer in networks.every_layer(small)]
    assert names.count(f"{name}_thin") == 1
    ours, theirs = networks.outputs(small, x), networks.outputs(model, x)
    assert networks.apart(ours, theirs) < 1e-5


def test_twice_gives_other_names():
    model = thin(model_of(layers.Dense(32, name="wide"), (64,)), rank=16)
    names = [layer.name for layer in thin(model, rank=4).layers]
    assert names == ["wide_thin_thin", "wide_thin", "wide_thin_1", "wide"]


def test_what_is_frozen_and_of_half_precision_stays_so():
    layer = layers.Dense(32, dtype="mixed_float16", trainable=False)
    small = thin(model_of(layer, (64,)), rank=4)
    assert small.trainable_weights == []
    assert {one.compute_dtype for one in small.layers} == {"float16"}
    assert {one.variable_dtype for one in small.layers} == {"float32"}
    outputs = small(np.ones((1, 64)))
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"


def test_layers_of_which_two_have_no_fewer_weights_stay(capsys):
    model = networks.residual()
    small = compress.low_rank(model, rank=4)
    said = capsys.readouterr().out
    assert "3 of 5 layers are two thin ones now" in said
    assert re.search(r"stem: rank 4 of 16, \d\d\.\d % of the energy\n", said)
    assert "depthwise, last (no fewer weights)" in said
    counts = [f"{each.count_params():,}" for each in (model, small)]
    assert f"parameters {counts[0]} -> {counts[1]}" in said
    assert small.get_layer("last").kernel.shape == (16, 5)


def refusing():
    inputs = keras.Input((6, 8))
    x = layers.LSTM(16, return_sequences=True, name="memory")(inputs)
    x = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    x = layers.Dense(32, kernel_constraint="non_neg", name="kept")(x)
    return keras.Model(inputs, layers.Dense(32, name="wide")(x))


def test_what_has_no_thin_form_is_named(capsys):
    model = refusing()
    with pytest.raises(ValueError, match=r"two; not so: .*\(inside LSTM\)") as caught:
        thin(model, rank=4)
    for part in ("memory/", "inside MultiHeadAttention", "kept (its kernel has a"):
        assert part in str(caught.value)
    small = compress.low_rank(model, rank=4, strict=False)
    assert "kept (its kernel has a constraint" in capsys.readouterr().out
    assert small.get_layer("wide_thin").units == 4
    assert thin(model, rank=4, where="wide").get_layer("kept").units == 32


def test_layers_with_clusters_are_refused_until_they_are_plain():
    model = model_of(layers.Dense(32, name="few"), (64,))
    model = compress.cluster(model, 4, verbose=False)
    with pytest.raises(ValueError, match=r"few \(.*clustered: `strip` the model first"):
        thin(model, rank=4)
    assert len(thin(compress.strip(model), rank=4).layers) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"model": 3}, "of type Model"),
        ({"model": keras.Model()}, "Functional or Sequential"),
        ({"energy": 0.0}, "a finite number above 0"),
        ({"energy": 1.1}, "at most 1.0"),
        ({"rank": 0}, "a whole number of at least 1, or a share above 0 and below 1"),
        ({"rank": 1.5}, "a whole number of at least 1, or a share"),
        ({"rank": True}, "a whole number of at least 1, or a share"),
        ({"where": "nothing"}, "a choice from the layers that own a kernel: wide"),
        ({"spatial": 1}, "True or False"),
        ({"data": np.ones((3, 5))}, "inputs of shape (batch, 64)"),
        ({"samples": 0}, "a whole number of at least 1"),
        ({"strict": "no"}, "True or False"),
        ({"verbose": 2}, "True or False"),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_a_wrong_argument_is_refused(arguments, expected):
    model = model_of(layers.Dense(32, name="wide"), (64,))
    with pytest.raises((ValueError, TypeError)) as caught:
        compress.low_rank(**{"model": model, **arguments})
    (name,) = arguments
    assert str(caught.value).startswith(f"`low_rank({name}=...)` must be ")
    assert expected in str(caught.value)


def test_energy_and_rank_do_not_go_together():
    model = model_of(layers.Dense(32), (64,))
    with pytest.raises(ValueError, match=r"`low_rank\(energy=...\)` .* with rank=4"):
        thin(model, rank=4, energy=0.9)


def test_data_and_rows_do_not_go_together():
    model = model_of(layers.Dense(32), (64,))
    with pytest.raises(ValueError, match="left out with spatial=True"):
        compress.low_rank(model, data=np.ones((3, 64)), spatial=True)
