"""Channels that are taken out of a model, and which of them."""

import keras
import numpy as np
import pytest

from perfkit import compress
from perfkit.compress.shrinking import _measures
from perfkit.graph.channels import read_channels
from perfkit.graph.cutting import without
from tests.support import networks

layers = keras.layers


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
    expected = networks.outputs(networks.zeroed(model, reading, cut), x)
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


def test_a_share_of_the_latency_is_met_as_far_as_it_is_measured(monkeypatch):
    """A time of 100 for the whole model, and 4 for each filter of the other."""
    timed = []

    def alternately(calls, runs):
        whole, small = calls
        timed.append((whole.filters, small.filters))
        times = [[100.0, 4.0 * small.filters]] * 3
        return np.array([*times, [1.0, 50.0]])  # and once a hiccup

    monkeypatch.setattr(_measures, "_call", lambda model: model.layers[0])
    monkeypatch.setattr(_measures, "alternately", alternately)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(64, 3),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    options = {"of": "latency", "round_to": 1, "verbose": False}
    small = compress.shrink(model, keep=0.5, **options)
    assert small.layers[0].filters == 12  # 48, of the 50 that are allowed
    assert {whole for whole, _ in timed} == {64}
    assert timed[0] == (64, 1)
    with pytest.raises(ValueError, match=r"at least 0\.04, which is left with"):
        compress.shrink(model, keep=0.03, **options)


@pytest.mark.slow
def test_latency_is_that_of_two_files_that_are_run(monkeypatch):
    sizes, outputs = [], []

    class Lite(compress.LiteModel):
        def __init__(self, path):
            super().__init__(path)
            sizes.append(path.stat().st_size)

    def alternately(calls, runs):
        outputs.extend(np.shape(call()) for call in calls)
        return np.array([[2.0, 3.0]] * runs)

    monkeypatch.setattr(_measures, "LiteModel", Lite)
    monkeypatch.setattr(_measures, "alternately", alternately)
    model = networks.plain()
    small = compress.shrink(model, verbose=False)
    assert _measures.latency(model)(small) == 1.5
    assert sizes[0] > 1.5 * sizes[1]
    assert len(outputs) == 2


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


def test_each_round_goes_on_from_what_was_trained():
    model = keras.Sequential([keras.Input((1,)), layers.Dense(8), layers.Dense(2)])
    model.layers[0].set_weights([np.arange(1.0, 9.0)[None], np.zeros(8)])
    seen = []

    def fine_tune(small):
        kernel, bias = small.layers[0].get_weights()
        seen.append(kernel[0].tolist())
        small.layers[0].set_weights([10.0 / kernel, bias + kernel[0]])

    options = {"round_to": 1, "rounds": 2, "fine_tune": fine_tune, "verbose": False}
    small = compress.shrink(model, keep=0.25, **options)
    # The largest four of eight stay, and training makes the smallest of them largest.
    assert seen == [[5.0, 6.0, 7.0, 8.0], pytest.approx([10 / 5, 10 / 6])]
    assert small.layers[0].get_weights()[1] == pytest.approx([5 + 2, 6 + 10 / 6])


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
    kinds = {
        type(layer).__module__.split(".")[0] for layer in networks.every_layer(small)
    }
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
    model = networks.Own()
    model(np.ones((1, 2)))
    with pytest.raises(ValueError, match="Functional or Sequential") as caught:
        compress.shrink(model, verbose=False)
    assert "write the layer" not in str(caught.value)  # there is none to write
