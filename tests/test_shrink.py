"""Channels that are taken out of a model, and which of them."""

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.graph.channels import read_channels
from perfkit.graph.cutting import without
from tests.support import networks

layers = keras.layers


def zeroed(model, reading, cut):
    """The whole model with zeros where channels were cut."""
    dense = keras.models.clone_model(model)
    dense.set_weights(model.get_weights())
    found = {layer.name: layer for layer in dense._flatten_layers()}
    gone = np.isin(reading.labels.roots(np.arange(len(reading.labels))), cut)
    for use in reading.uses.values():
        for variable in getattr(found.get(use.layer.name), "variables", ()):
            for axis, labels in use.cuts.get(variable.name, {}).items():
                shape = [1] * len(variable.shape)
                shape[axis] = len(labels)
                value = np.array(keras.ops.convert_to_numpy(variable))
                variable.assign(np.where(gone[labels].reshape(shape), 0.0, value))
    return dense


@pytest.mark.parametrize("make", networks.ALL)
def test_a_cut_model_returns_what_the_whole_one_does_with_zeros_there(make):
    model, x = networks.stirred(make()), networks.images()
    reading = read_channels("test", model)
    rng = np.random.default_rng(0)
    cut = [
        rng.choice(group.channels[group.free], group.free.sum() // 2, replace=False)
        for group in reading.groups()
    ]
    assert sum(map(len, cut)) >= 8
    cut = np.concatenate(cut)
    small = without(reading, cut)
    assert type(small) is type(model)
    assert small.count_params() < model.count_params()
    expected = networks.outputs(zeroed(model, reading, cut), x)
    assert networks.apart(networks.outputs(small, x), expected) < 1e-5


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (networks.plain, [("first",), ("second",), ("third",), ("last",)]),
        (networks.residual, [("stem", "project"), ("expand",), ("last",)]),
        (
            networks.joined,
            [("left",), ("right",), ("more",), ("after",), ("last",)],
        ),
        (
            networks.gated,
            [("stem", "excite"), ("squeeze",), ("separable",), ("last",)],
        ),
        (
            networks.nested,
            [("stem", "block/inner"), ("tail/narrow",), ("last",)],
        ),
        (
            networks.with_operations,
            [("stem", "shared"), ("second_head",), ("first_head",)],
        ),
    ],
)
def test_layers_whose_outputs_are_joined_are_one_group(make, expected):
    groups = compress.channel_groups(make()).groups
    assert [group.layers for group in groups] == expected


def test_what_the_model_returns_stays():
    groups = compress.channel_groups(networks.with_operations()).groups
    assert [group.free for group in groups] == [16, 0, 0]
    assert "the model returns them" in groups[1].reasons
    assert groups[2].reasons == ("the model returns them",)


def test_what_is_added_to_the_inputs_stays():
    inputs = keras.Input((4, 4, 8))
    x = layers.Conv2D(8, 1, name="stays")(inputs)
    x = layers.Add()([x, inputs])
    model = keras.Model(inputs, layers.Conv2D(2, 1)(x))
    (group, _) = compress.channel_groups(model).groups
    assert group.free == 0
    assert group.reasons == ("the model takes them",)


def test_a_layer_that_nobody_knows_keeps_what_it_takes_and_returns():
    class Mystery(layers.Layer):
        def call(self, inputs):
            return inputs[..., ::-1]

    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(8, 1, name="before")(inputs)
    x = Mystery(name="mystery")(x)
    x = layers.Conv2D(16, 1, name="behind")(x)
    model = keras.Model(inputs, layers.Conv2D(2, 1, name="last")(x))
    with pytest.raises(ValueError, match=r"before \(mystery: what Mystery does"):
        compress.shrink(model, verbose=False)
    small = compress.shrink(model, strict=False, verbose=False)
    assert [layer.name for layer in small.layers] == [
        layer.name for layer in model.layers
    ]
    assert tuple(small.get_layer("before").kernel.shape[-2:]) == (3, 8)
    assert tuple(small.get_layer("behind").kernel.shape[-2:]) == (8, 8)


def test_channels_that_are_shuffled_stay():
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(8, 1, name="before")(inputs)
    x = layers.Reshape((4, 4, 2, 4))(x)
    x = layers.Permute((1, 2, 4, 3))(x)
    x = layers.Reshape((4, 4, 8))(x)
    model = keras.Model(inputs, layers.Conv2D(2, 1)(x))
    assert compress.channel_groups(model).groups[0].free == 0


def test_groups_of_a_convolution_stay_but_channels_by_themselves_go():
    inputs = keras.Input((4, 4, 3))
    x = layers.Conv2D(16, 1, name="before")(inputs)
    x = layers.Conv2D(32, 3, groups=16, padding="same", name="each")(x)
    x = layers.Conv2D(16, 1, name="between")(x)
    x = layers.Conv2D(16, 1, groups=2, name="grouped")(x)
    model = keras.Model(inputs, layers.Conv2D(2, 1)(x))
    groups = {g.layers: g for g in compress.channel_groups(model).groups}
    assert groups[("before",)].free == 16
    assert groups[("between",)].free == groups[("grouped",)].free == 0
    small = compress.shrink(model, strict=False, verbose=False)
    each = small.get_layer("each")
    assert (each.filters, each.groups) == (16, 8)


def test_channels_first_is_understood():
    inputs = keras.Input((3, 8, 8))
    x = layers.Conv2D(16, 3, data_format="channels_first")(inputs)
    x = layers.BatchNormalization(axis=1)(x)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    small = compress.shrink(model, verbose=False)
    assert tuple(small.layers[1].kernel.shape) == (3, 3, 3, 8)
    assert tuple(small.layers[2].gamma.shape) == (8,)
    assert tuple(small.layers[-1].kernel.shape) == (8, 2)


def test_recurrent_layers_and_embeddings_lose_inputs():
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Embedding(20, 16, name="words"),
            layers.LSTM(8, name="memory"),
            layers.Dense(2),
        ]
    )
    x = np.arange(12).reshape(2, 6)
    small = compress.shrink(model, strict=False, verbose=False)
    assert tuple(small.get_layer("words").embeddings.shape) == (20, 8)
    assert tuple(small.get_layer("memory").cell.kernel.shape) == (8, 32)
    assert small(x).shape == (2, 2)


# Which channels stay


def scored(kernel, importance, **options):
    """Which of 8 channels of a dense layer half stay."""
    model = keras.Sequential(
        [keras.Input((kernel.shape[0],)), layers.Dense(8), layers.Dense(2)]
    )
    model.layers[0].set_weights([kernel, np.arange(8.0)])
    small = compress.shrink(
        model, importance=importance, round_to=1, verbose=False, **options
    )
    return small.layers[0].get_weights()[1].astype(int).tolist()


def test_norms_say_which_channels_stay():
    kernel = np.zeros((4, 8))
    kernel[0] = [8, 1, 7, 2, 6, 3, 5, 4]
    kernel[1:, 1] = 2.5  # sums to 8.5, with a norm of 4.4
    assert scored(kernel, "l1") == [0, 1, 2, 4]
    assert scored(kernel, "l2") == [0, 2, 4, 6]


def test_the_geometric_median_goes_first():
    places = np.array([0.0, 10.0, 4.9, 5.0, 5.1, 5.2, -3.0, 20.0])
    kernel = np.stack([places, np.ones(8)])
    distances = np.abs(places[:, None] - places).sum(axis=1)
    expected = sorted(np.argsort(distances)[4:].tolist())
    assert scored(kernel, "geometric_median") == expected


def test_a_function_of_ones_own_scores():
    kernel = np.ones((3, 8))
    assert scored(kernel, lambda weights: np.arange(len(weights)) % 2) == [1, 3, 5, 7]
    with pytest.raises(ValueError, match="a finite score for each of 8 channels"):
        scored(kernel, lambda weights: np.ones(3))


def test_random_follows_its_seed():
    kernel = np.ones((3, 8))
    kept = [scored(kernel, "random", seed=seed) for seed in (0, 0, 1)]
    assert kept[0] == kept[1] != kept[2]


def test_scales_of_batch_normalization_say_which_channels_stay():
    model = keras.Sequential(
        [
            keras.Input((4, 4, 3)),
            layers.Conv2D(4, 1),
            layers.BatchNormalization(),
            layers.Conv2D(2, 1),
        ]
    )
    model.layers[1].gamma.assign([0.1, -3.0, 0.5, 2.0])
    small = compress.shrink(model, importance="batch_norm", round_to=1, verbose=False)
    assert small.layers[1].get_weights()[0].tolist() == [-3.0, 2.0]
    with pytest.raises(ValueError, match="go through no BatchNormalization"):
        compress.shrink(networks.gated(), importance="batch_norm", verbose=False)


def test_taylor_is_what_the_loss_changes_to_first_order():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((5,)), layers.Dense(6), layers.Dense(1)])
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 5)), rng.normal(size=(20, 1))
    kernel, bias, last, end = model.get_weights()
    error = (x @ kernel + bias) @ last + end - y
    gradient = x.T @ (2.0 / len(x) * error * last.T)
    scores = (kernel * gradient).sum(axis=0) ** 2
    expected = np.sort(np.argsort(scores)[3:])
    small = compress.shrink(
        model,
        importance="taylor",
        data=[(x, y)],
        loss=lambda true, made: keras.ops.square(made - true),
        round_to=1,
        verbose=False,
    )
    np.testing.assert_array_equal(small.get_weights()[0], kernel[:, expected])
    model.compile("sgd", "mse")
    again = compress.shrink(
        model, importance="taylor", data=[(x, y)], round_to=1, verbose=False
    )
    np.testing.assert_array_equal(again.get_weights()[0], kernel[:, expected])


def test_the_best_of_all_layers_stay_under_a_global_scope():
    model = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4), layers.Dense(4), layers.Dense(1)]
    )
    model.layers[0].kernel.assign([[1.0, 1.0, 1.0, 0.1], [0.0] * 4])
    other = np.zeros((4, 4))
    other[0] = [10.0, 0.1, 0.1, 0.1]
    model.layers[1].kernel.assign(other)
    small = compress.shrink(model, scope="global", round_to=1, verbose=False)
    assert [layer.units for layer in small.layers] == [3, 1, 1]


def test_lamp_scores_are_compared_as_they_are():
    weights = np.array([[3.0], [1.0], [2.0]])
    from perfkit.ops import importance

    expected = np.array([9 / 9, 1 / 14, 4 / 13])
    np.testing.assert_allclose(importance.lamp(weights), expected)


# How many


@pytest.mark.parametrize(
    ("keep", "round_to", "expected"),
    [(0.5, 8, [8, 16, 8]), (0.6, 4, [8, 16, 8]), (0.6, 1, [10, 14, 10])],
)
def test_counts_are_rounded_to_a_multiple(keep, round_to, expected):
    options = {"keep": keep, "round_to": round_to, "verbose": False}
    small = compress.shrink(networks.plain(), **options)
    names = ("first", "second", "third")
    counts = [small.get_layer(name).get_weights()[0].shape[-1] for name in names]
    assert counts == expected


@pytest.mark.parametrize("of", ["parameters", "macs"])
def test_a_share_of_the_whole_model_is_met(of):
    from perfkit.graph.macs import macs

    def measure(model):
        return model.count_params() if of == "parameters" else macs(model).total

    model = networks.plain()
    small = compress.shrink(model, keep=0.4, of=of, round_to=1, verbose=False)
    assert 0.36 <= measure(small) / measure(model) <= 0.4
    with pytest.raises(ValueError, match="which is left with the fewest channels"):
        compress.shrink(model, keep=0.05, of=of, verbose=False)


@pytest.mark.slow
def test_a_share_of_the_latency_is_met(tmp_path):
    inputs = keras.Input((64, 64, 3))
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(inputs)
    x = layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(x)))
    small = compress.shrink(model, keep=0.5, of="latency", verbose=False)
    assert 8 <= small.layers[1].filters < 64


def test_rounds_end_where_one_does_and_train_between():
    model, seen = networks.residual(), []

    def fine_tune(small):
        seen.append(small.count_params())

    small = compress.shrink(
        model, keep=0.5, round_to=1, rounds=3, fine_tune=fine_tune, verbose=False
    )
    once = compress.shrink(model, keep=0.5, round_to=1, verbose=False)
    assert len(seen) == 3
    assert model.count_params() > seen[0] > seen[1] > seen[2]
    assert small.count_params() == once.count_params()


# The result


def test_the_model_stays_and_the_small_one_has_weights_of_its_own():
    model = networks.residual()
    before = model.get_weights()
    small = compress.shrink(model, verbose=False)
    small.compile("sgd", "mse")
    small.fit(networks.images(), np.zeros((4, 5)), verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_small_model_is_plain_and_is_saved(tmp_path):
    small = compress.shrink(networks.nested(), verbose=False)
    small.save(tmp_path / "small.keras")
    again = keras.models.load_model(tmp_path / "small.keras")
    x = networks.images()
    ours, theirs = networks.outputs(again, x), networks.outputs(small, x)
    np.testing.assert_array_equal(ours[0], theirs[0])
    kinds = {type(layer).__module__.split(".")[0] for layer in small._flatten_layers()}
    assert kinds == {"keras"}


def test_what_is_frozen_and_of_which_precision_stays():
    model = networks.plain()
    model.get_layer("first").trainable = False
    small = compress.shrink(model, verbose=False)
    assert not small.get_layer("first").trainable
    assert small.get_layer("second").trainable
    mixed = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(16, dtype="mixed_float16"),
            layers.Dense(2, dtype="mixed_float16"),
        ]
    )
    small = compress.shrink(mixed, verbose=False)
    assert small.layers[0].dtype_policy.name == "mixed_float16"
    assert small(np.ones((1, 4))).dtype == mixed(np.ones((1, 4))).dtype


def test_only_chosen_layers_lose_channels():
    small = compress.shrink(networks.plain(), where="second", verbose=False)
    assert small.get_layer("first").filters == 16
    assert small.get_layer("second").filters == 16
    with pytest.raises(ValueError, match=r"where=...\).*last \(the model returns"):
        compress.shrink(networks.plain(), where="last", verbose=False)
    with pytest.raises(ValueError, match="a choice from the layers that make channels"):
        compress.shrink(networks.plain(), where="frist", verbose=False)


def test_it_says_what_was_cut(capsys):
    compress.shrink(networks.plain())
    said = capsys.readouterr().out
    assert "   first: 16 -> 8" in said
    assert "last" not in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep": 0.0},
        {"keep": 1.5},
        {"of": "weights"},
        {"importance": "l3"},
        {"scope": "layer"},
        {"round_to": 0},
        {"rounds": 0},
        {"fine_tune": 3},
        {"importance": "taylor"},
        {"importance": "taylor", "data": []},
        {"strict": 1},
    ],
)
def test_wrong_arguments_are_named(wrong):
    model = networks.plain()
    if wrong.get("data") is not None:
        model.compile("sgd", "mse")
    name = "data" if wrong.get("importance") == "taylor" else next(iter(wrong))
    with pytest.raises((TypeError, ValueError), match=rf"`shrink\({name}="):
        compress.shrink(model, verbose=False, **wrong)


def test_models_with_a_call_of_their_own_are_refused():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(4)

        def call(self, inputs):
            return self.dense(inputs)

    model = Own()
    model(np.ones((1, 2)))
    with pytest.raises(ValueError, match="Functional or Sequential"):
        compress.shrink(model, verbose=False)
