"""Batch normalization that is folded, models of single steps, and equalized weights."""

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.graph.calls import read
from perfkit.graph.equalization import equalize
from perfkit.graph.splitting import split
from tests.support import networks

layers = keras.layers
pytestmark = pytest.mark.usefixtures("seeded")


def kinds(model):
    return [type(layer).__name__ for layer in networks.every_layer(model)]


@pytest.mark.parametrize("make", networks.ALL)
def test_a_folded_model_returns_the_same(make):
    model, x = networks.stirred(make()), networks.images()
    folded = compress.fold_batch_norm(model)
    assert type(folded) is type(model)
    ours, theirs = networks.outputs(folded, x), networks.outputs(model, x)
    assert networks.apart(ours, theirs) < 1e-5


@pytest.mark.parametrize(
    ("make", "left"),
    [(networks.plain, 0), (networks.residual, 0), (networks.joined, 1)],
)
def test_what_follows_a_layer_alone_is_folded_into_it(make, left):
    assert kinds(compress.fold_batch_norm(make())).count("BatchNormalization") == left


@pytest.mark.parametrize(
    "before",
    [
        layers.Conv1D(4, 3, padding="causal"),
        layers.Conv1DTranspose(4, 3, strides=2),
        layers.DepthwiseConv1D(3, depth_multiplier=2),
        layers.SeparableConv1D(4, 3, depth_multiplier=2),
        layers.Dense(4, use_bias=False),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_each_kind_of_layer_takes_it_in(before):
    model = keras.Sequential(
        [keras.Input((6, 3)), before, layers.BatchNormalization(scale=False)]
    )
    networks.stirred(model)
    folded = compress.fold_batch_norm(model)
    assert len(folded.layers) == 1
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    ours, theirs = networks.outputs(folded, x), networks.outputs(model, x)
    assert networks.apart(ours, theirs) < 1e-5


def test_grouped_and_transposed_convolutions_take_it_in():
    inputs = keras.Input((5, 5, 4))
    x = layers.Conv2D(8, 3, groups=2)(inputs)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2DTranspose(6, 3, strides=2)(x)
    x = layers.BatchNormalization(center=False)(x)
    model = networks.stirred(keras.Model(inputs, x))
    folded = compress.fold_batch_norm(model)
    assert "BatchNormalization" not in kinds(folded)
    x = np.random.default_rng(0).normal(size=(2, 5, 5, 4)).astype("float32")
    ours, theirs = networks.outputs(folded, x), networks.outputs(model, x)
    assert networks.apart(ours, theirs) < 1e-5


def test_what_others_see_too_or_comes_after_an_activation_is_left():
    inputs = keras.Input((4,))
    seen = layers.Dense(4)(inputs)
    normed = layers.BatchNormalization()(seen)
    active = layers.Dense(4, activation="relu")(layers.Add()([seen, normed]))
    shared = layers.Dense(4)
    twice = layers.BatchNormalization()(shared(layers.BatchNormalization()(active)))
    model = networks.stirred(keras.Model(inputs, [twice, shared(inputs)]))
    folded = compress.fold_batch_norm(model)
    assert kinds(folded).count("BatchNormalization") == 3
    x = np.ones((2, 4), "float32")
    ours, theirs = networks.outputs(folded, x), networks.outputs(model, x)
    assert networks.apart(ours, theirs) < 1e-5


def test_a_folded_model_shares_nothing_and_learns():
    model = networks.stirred(networks.plain())
    before = model.get_weights()
    folded = compress.fold_batch_norm(model)
    folded.compile("sgd", "mse")
    folded.fit(networks.images(), np.zeros((4, 5)), verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# Single steps


@pytest.mark.parametrize("make", networks.ALL)
@pytest.mark.parametrize("biases", [False, True])
def test_a_split_model_returns_the_same(make, biases):
    model, x = networks.stirred(make()), networks.images()
    found = split("test", model, biases=biases).model
    ours, theirs = networks.outputs(found, x), networks.outputs(model, x)
    assert networks.apart(ours, theirs) < 1e-5
    assert not any(isinstance(layer, keras.Model) for layer in found.layers)
    for layer in found.layers:
        if "kernel" in {weight.name for weight in layer.weights}:
            assert layer.activation is keras.activations.linear
            assert layer.use_bias or not biases
    assert "SeparableConv2D" not in kinds(found)
    alone = [k for k in kinds(found) if k == "BatchNormalization"]
    assert len(alone) == kinds(model).count("BatchNormalization") - (
        make is networks.joined
    )


@pytest.mark.parametrize(
    "layer",
    [
        layers.Rescaling(1 / 127.5, -1.0),
        layers.Rescaling([0.5, 1.0, 2.0], [1.0, 2.0, 3.0]),
        layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1.0, 4.0, 9.0]),
        layers.BatchNormalization(),
        layers.Activation("hard_sigmoid"),
        layers.Activation("hard_silu"),
    ],
    ids=lambda layer: type(layer).__name__,
)
@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 4, 3)])
def test_what_a_file_has_no_operation_for_is_made_of_others(layer, shape):
    layer = type(layer).from_config(layer.get_config())
    inputs = keras.Input(shape)
    model = networks.stirred(keras.Model(inputs, layer(inputs)))
    found = split("test", model).model
    assert type(layer).__name__ not in kinds(found)
    x = np.random.default_rng(0).normal(size=(5, *shape)).astype("float32")
    ours, theirs = networks.outputs(found, x), networks.outputs(model, x)
    assert networks.apart(ours, theirs) < 1e-5


def test_paths_of_layers_that_were_inlined_are_known():
    paths = split("test", networks.nested()).paths
    assert paths["block_inner"] == "block/inner"
    assert paths["tail_narrow"] == "tail/narrow"


# Equalized weights


def scrambled(seed=0):
    """A trained-like network, the same with channels on other scales, and the pairs."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, activation="relu", name="one")(inputs)
    x = layers.DepthwiseConv2D(3, activation="relu", name="two")(x)
    x = layers.Conv2D(8, 1, activation="relu", name="three")(x)
    x = layers.MaxPooling2D(2)(x)
    x = layers.Flatten()(x)
    model = keras.Model(inputs, layers.Dense(4, name="four")(x))
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            layer.set_weights([kernel, rng.normal(0, 0.1, bias.shape)])
    wild = keras.models.clone_model(model)
    wild.set_weights(model.get_weights())
    factors = 10.0 ** rng.uniform(-2, 2, 8)
    names = ("one", "two", "three", "four")
    first, second, third, fourth = (wild.get_layer(name) for name in names)
    first.kernel.assign(first.kernel * factors)
    first.bias.assign(first.bias * factors)
    second.kernel.assign(second.kernel / factors[:, None])
    other = 10.0 ** rng.uniform(-2, 2, 8)
    third.kernel.assign(third.kernel * other)
    third.bias.assign(third.bias * other)
    places = np.tile(other, fourth.kernel.shape[0] // 8)
    fourth.kernel.assign(fourth.kernel / places[:, None])
    return model, wild


def test_equalized_weights_return_the_same_and_have_like_ranges():
    _, wild = scrambled()
    x = networks.images()
    before = networks.outputs(wild, x)
    steps = split("test", wild, biases=True).model
    pairs = equalize(read("test", steps))
    assert pairs == [("one", "two"), ("two", "three"), ("three", "four")]
    assert networks.apart(networks.outputs(steps, x), before) < 1e-4
    kernel = np.array(keras.ops.convert_to_numpy(steps.get_layer("one").kernel))
    other = np.array(keras.ops.convert_to_numpy(steps.get_layer("two").kernel))
    has = np.abs(kernel).max(axis=(0, 1, 2))
    needs = np.abs(other).max(axis=(0, 1, 3))
    np.testing.assert_allclose(has, needs, rtol=0.05)


def test_equalization_brings_back_what_one_range_for_all_channels_lost():
    model, wild = scrambled()
    x = networks.images(64)
    (expected,) = networks.outputs(model, x)

    def error(**options):
        small = compress.quantize(
            wild, x, per_channel=False, corrected=False, verbose=False, **options
        )
        (found,) = networks.outputs(small, x)
        return np.square(found - expected).mean() / np.square(expected).mean()

    assert error() > 0.1
    assert error(equalized=True) < 0.005


def test_relu6_keeps_its_weights():
    model = networks.residual()
    steps = split("test", compress.fold_batch_norm(model), biases=True).model
    assert equalize(read("test", steps)) == []
