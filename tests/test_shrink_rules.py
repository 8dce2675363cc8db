"""What layers do to channels, and what is not known of them."""

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.graph import calls, inlining

layers, ops = keras.layers, keras.ops


def free(model):
    """How many channels of each group can go, by its first layer."""
    return {g.layers[0]: g.free for g in compress.channel_groups(model).groups}


def sequence(*between, inputs=(6,)):
    """A dense layer of 8 units, others, and two dense layers."""
    names = layers.Dense(8, name="first"), layers.Dense(6, name="second")
    ends = keras.Input(inputs), layers.Dense(2, name="last")
    return keras.Sequential([ends[0], names[0], *between, names[1], ends[1]])


def outputs(model, *x):
    given = x[0] if len(x) == 1 else x
    return np.array(ops.convert_to_numpy(model(given)))


def check_half_of_the_first_can_go(model, *shape):
    """Half of its channels are made of zeros and taken by zeros: nothing changes."""
    for name, axis in (("first", -1), ("second", -2)):
        kernel = model.get_layer(name).kernel
        zeros = np.moveaxis(np.array(ops.convert_to_numpy(kernel)), axis, 0)
        zeros[len(zeros) // 2 :] = 0.0
        kernel.assign(np.moveaxis(zeros, 0, axis))
    small = compress.shrink(model, where="first", round_to=1, verbose=False)
    assert small.count_params() < model.count_params()
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    np.testing.assert_allclose(outputs(small, x), outputs(model, x), atol=1e-6)


# Activations


@pytest.mark.parametrize(
    "activation",
    [None, "gelu", "hard_swish", layers.ReLU(), layers.Activation("relu"), ops.tanh],
)
def test_activations_that_look_at_one_value_leave_channels_free(activation):
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(8, activation=activation, name="first"),
            layers.Dense(2, name="second"),
        ]
    )
    assert free(model)["first"] == 8
    check_half_of_the_first_can_go(model, 6)


@pytest.mark.parametrize(
    "activation",
    [
        "softmax",
        layers.Softmax(),
        layers.Activation("softmax"),
        layers.PReLU(),
        lambda x: x[..., ::-1],
    ],
)
def test_channels_stay_before_activations_that_may_look_at_several(activation):
    inputs = keras.Input((6,))
    x = layers.Dense(8, activation=activation, name="first")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(x))
    assert free(model)["first"] == 0


@pytest.mark.parametrize(
    "each",
    [
        layers.DepthwiseConv2D(3, activation="softmax"),
        layers.Conv2D(8, 3, groups=8, activation="softmax"),
    ],
)
def test_channels_by_themselves_stay_if_an_activation_mixes_them(each):
    inputs = keras.Input((5, 5, 3))
    x = each(layers.Conv2D(8, 1, name="first")(inputs))
    model = keras.Model(inputs, layers.Conv2D(2, 1)(x))
    assert free(model)["first"] == 0


# Sizes that are written down


@pytest.mark.parametrize(
    "layer",
    [
        layers.Rescaling(list(range(1, 9))),
        layers.Rescaling(1.0, np.arange(8.0)),
        layers.Dropout(0.5, noise_shape=(None, 8)),
        layers.AlphaDropout(0.5, noise_shape=(None, 8)),
    ],
)
def test_channels_stay_where_a_layer_holds_something_for_each(layer):
    assert free(sequence(layer))["first"] == 0


@pytest.mark.parametrize(
    "layer", [layers.Rescaling(2.0, 1.0), layers.Dropout(0.5, noise_shape=(None, 1))]
)
def test_channels_are_free_where_a_layer_does_the_same_to_all(layer):
    assert free(sequence(layer))["first"] == 8


def test_channels_stay_where_an_operation_holds_something_for_each():
    inputs = keras.Input((6,))
    x = layers.Dense(8, name="first")(inputs)
    x = ops.clip(x, np.zeros(8, "float32"), np.arange(8, dtype="float32"))
    assert free(keras.Model(inputs, layers.Dense(2)(x)))["first"] == 0


def test_a_convolution_of_channels_by_themselves_is_cut_to_one():
    inputs = keras.Input((5, 5, 3))
    x = layers.Conv2D(2, 1, name="first")(inputs)
    x = layers.Conv2D(4, 3, groups=2, name="each")(x)
    model = keras.Model(inputs, layers.Conv2D(2, 1, name="last")(x))
    small = compress.shrink(model, round_to=1, verbose=False)
    each = small.get_layer("each")
    assert (each.filters, each.groups) == (2, 1)
    assert small(np.ones((1, 5, 5, 3), "float32")).shape == (1, 3, 3, 2)


# Shapes


def test_a_shape_that_merges_the_batch_is_followed_or_not_known():
    inputs = keras.Input((5, 6))
    x = ops.reshape(layers.Dense(8, name="first")(inputs), (-1, 8))
    x = ops.reshape(layers.Dense(6, name="second")(x), (-1, 30))
    model = keras.Model(inputs, layers.Dense(2)(x))
    assert free(model) == {"first": 8, "second": 0, model.layers[-1].name: 0}
    check_half_of_the_first_can_go(model, 5, 6)


def test_axes_are_not_counted_by_a_batch_of_one():
    inputs = keras.Input((8, 6))
    x = ops.squeeze(layers.Dense(8, name="first")(inputs))
    x = ops.mean(x, axis=2)  # over the channels
    model = keras.Model(inputs, layers.Dense(2, name="last")(x))
    assert free(model) == {"first": 0, "last": 0}


def test_a_shape_for_one_size_of_those_a_model_takes_is_not_known():
    model = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(8, 1, name="first"),
            layers.Reshape((36, 8)),
            layers.Conv1D(4, 1, name="second"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2),
        ]
    )
    found = free(model)
    assert (found["first"], found["second"]) == (0, 4)


@pytest.mark.parametrize(
    "layer",
    [layers.Cropping1D((2, 1)), layers.ZeroPadding1D(1), layers.UpSampling1D(2)],
)
def test_channels_stay_where_their_number_changes(layer):
    inputs = keras.Input((6, 3))
    x = layers.Permute((2, 1))(layers.Conv1D(8, 1, name="first")(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layer(x))))
    assert free(model)["first"] == 0


@keras.saving.register_keras_serializable(package="test_shrink_rules")
class Twice(layers.Layer):
    """It says that it keeps channels, and does not."""

    keeps_channels = True

    def call(self, inputs):
        return ops.concatenate([inputs, inputs], axis=-1)


def test_a_rule_that_gives_another_number_of_channels_is_not_believed():
    found = compress.channel_groups(sequence(Twice(name="twice"))).groups
    assert [group.free for group in found] == [0, 6, 0]
    assert found[0].reasons == ("twice: what Twice does to channels here is not known",)


# Layers that are not of their class alone


def test_a_subclass_of_a_layer_may_do_anything():
    if not hasattr(layers, "ReversibleEmbedding"):
        pytest.skip("this version of Keras has no such subclass")
    words = layers.ReversibleEmbedding(20, 16)
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Dense(32, activation="relu", name="inner")(words(inputs))
    x = layers.Dense(16, name="outer")(x)
    model = keras.Model(inputs, words(x, reverse=True))
    assert free(model) == {"inner": 32, "outer": 0}
    small = compress.shrink(model, strict=False, verbose=False)
    assert small(np.zeros((2, 5), "int32")).shape == (2, 5, 20)


def with_lora(layer):
    layer.enable_lora(2)
    return "it has Keras's LoRA"


def in_integers(layer):
    layer.quantize("int8")
    return "Keras quantized it to int8"


@pytest.mark.parametrize("alter", [with_lora, in_integers])
def test_layers_with_other_weights_than_their_kind_has_stay(alter):
    model = sequence(layers.Dense(8, name="other"))
    why = alter(model.get_layer("other"))
    first, second, _ = compress.channel_groups(model).groups
    assert (first.free, second.free) == (0, 6)
    assert first.reasons == (f"other: {why}",)
    small = compress.shrink(model, strict=False, round_to=1, verbose=False)
    assert small.get_layer("second").units == 3
    x = np.random.default_rng(0).normal(size=(2, 6)).astype("float32")
    parts = [
        keras.Model(m.inputs[0], m.get_layer("other").output) for m in (model, small)
    ]
    np.testing.assert_allclose(*[outputs(part, x) for part in parts], rtol=1e-5)


# Models that are called with a mask


# Keras says so of each model that is called with a mask.
ignore = pytest.mark.filterwarnings("ignore:Layer 'block'.*does not support masking")


def masked():
    inside = keras.Input((6, 8))
    block = keras.Model(inside, layers.LSTM(8)(inside), name="block")
    inputs, mask = keras.Input((6, 4)), keras.Input((6,), dtype="bool")
    x = block(layers.Dense(8, name="first")(inputs), mask=mask)
    return keras.Model([inputs, mask], layers.Dense(2, name="last")(x))


@ignore
def test_a_model_that_is_called_with_a_mask_is_cut():
    model = masked()
    assert free(model) == {"first": 8, "last": 0}
    small = compress.shrink(model, round_to=1, verbose=False)
    x = np.ones((2, 6, 4), "float32")
    some, every = np.arange(6) < np.array([[2], [6]]), np.ones((2, 6), bool)
    difference = outputs(small, x, some) != outputs(small, x, every)
    assert difference.any(axis=1).tolist() == [True, False]


@ignore
def test_a_model_that_is_called_with_a_mask_is_not_inlined():
    graph = calls.read("test", masked())

    def make(path, call, *arguments, **named):
        return call.operation(*arguments, **named)

    with pytest.raises(ValueError, match=r"`block\(mask=...\)` must be left out"):
        inlining.inlined(graph, make)
