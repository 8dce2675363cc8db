"""Bottleneck adapters and BitFit: what is put in, what learns, and what is left."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import transfer
from perfkit.graph.trails import names, trails
from tests.tuned_models import far, made, outputs, subclassed, trained, values


def shaken(model):
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1)
    return model


def test_an_adapter_is_the_residual_bottleneck_of_the_paper():
    layer = transfer.Adapter(2, activation="relu")
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype("float32")
    np.testing.assert_array_equal(np.array(layer(x)), x)
    shaken(layer)
    down, narrow, up, wide = values(layer.weights)
    expected = x + np.maximum(x @ down + narrow, 0.0) @ up + wide
    assert far(expected, np.array(layer(x))) < 1e-6


def test_inserted_adapters_begin_as_the_identity_and_learn_alone():
    model, x = made("images")
    first, before = outputs(model, x), values(model.weights)
    new, report = transfer.insert_adapters(model, ["inner", "conv"], 2)
    np.testing.assert_array_equal(outputs(new, x), first)
    assert len(report.places) == 4
    assert report.places["inner/separable"] == "Adapter(3)"
    assert all("adapter" in weight.path for weight in new.trainable_weights)
    tuned = values(new.trainable_weights)
    trained(new, x)
    assert far(first, outputs(new, x)) > 1e-3
    for old, weight in zip(tuned, new.trainable_weights, strict=True):
        assert np.abs(old - np.array(weight)).max() > 0
    plain = transfer.unload(new)
    for old, weight in zip(before, plain.weights, strict=True):
        np.testing.assert_array_equal(old, np.array(weight))
    np.testing.assert_array_equal(outputs(plain, x), first)
    trainable = [layer.trainable for layer in plain.layers]
    assert trainable == [True] * len(trainable)
    assert len(plain.trainable_weights) == 13


def learning(model):
    """What is trainable in a model, whose nested models may be other ones."""
    ways = [trail for trail in trails(model) if trail[-1].weights]
    flags = {"/".join(names(trail)): trail[-1].trainable for trail in ways}
    return flags, [weight.trainable for weight in model.weights]


def test_unload_gives_a_partly_frozen_model_its_flags_back():
    model, _ = made("images")
    model.get_layer("bn").trainable = False
    model.get_layer("conv").weights[1].trainable = False
    inner = model.get_layer("inner")
    inner.trainable = False
    inner.layers[0].trainable = True
    before = learning(model)
    new, _ = transfer.insert_adapters(model, ["conv", "inner"], 2, train="head")
    plain = transfer.unload(new)
    assert learning(plain) == before
    assert learning(transfer.unload(model)) == before
    assert learning(transfer.unload(plain)) == before


@pytest.mark.slow
def test_adapters_that_are_there_go_on_learning():
    model, x = made("images")
    new, _ = transfer.insert_adapters(model, "conv", 2)
    bottleneck = {id(weight) for weight in new.trainable_weights}
    report = transfer.adapt(new, transfer.LoRA(2))
    assert not any("adapter" in path for path in report.places)
    learning = {id(weight) for weight in new.trainable_weights}
    assert bottleneck < learning
    transfer.bit_fit(new)
    assert learning < {id(weight) for weight in new.trainable_weights}
    first = outputs(new, x)
    trained(shaken(new), x)
    plain = transfer.unload(new)
    np.testing.assert_array_equal(outputs(model, x), outputs(plain, x))
    assert far(first, outputs(new, x)) > 1e-3


def test_a_compiled_model_is_to_be_compiled_again():
    model, _ = made("images")
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="compile it again") as caught:
        transfer.adapt(model, transfer.LoRA(2))
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="compile it again"):
        transfer.bit_fit(model)


def test_a_model_with_inserted_adapters_is_saved_and_loaded(tmp_path):
    model, x = made("images")
    new, _ = transfer.insert_adapters(model, "inner", 2, train="head")
    shaken(new).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(new, x), outputs(loaded, x))
    assert len(loaded.trainable_weights) == len(new.trainable_weights) == 14
    plain = transfer.unload(loaded)
    assert len(plain.weights) == len(model.weights)
    assert len(plain.trainable_weights) == 13  # all, as before is not known


def test_adapters_follow_a_layer_without_weights_only_by_its_name():
    model, _ = made("images")
    pooled = model.layers[-2].name
    _, report = transfer.insert_adapters(model, ["conv", pooled, "head"], train="head")
    assert list(report.places) == ["conv", pooled]
    assert "head" not in report.skipped
    with pytest.raises(ValueError, match="have weights"):
        transfer.insert_adapters(model, "global*")


def test_a_second_insertion_skips_what_has_an_adapter():
    model, _ = made("images")
    new, _ = transfer.insert_adapters(model, "conv")
    newer, report = transfer.insert_adapters(new, ["conv", "bn"])
    assert report.skipped == {"conv": "has an adapter"}
    assert list(report.places) == ["bn"]
    assert len(newer.weights) == len(new.weights) + 4


def test_wrong_arguments_are_refused():
    model, _ = made("images")
    for arguments in ({"where": "none*"}, {"where": "conv", "reduction": 0}):
        with pytest.raises(ValueError, match=r"where=|reduction="):
            transfer.insert_adapters(model, **arguments)
    with pytest.raises(ValueError, match="Functional"):
        transfer.insert_adapters(subclassed(), "head")
    with pytest.raises(ValueError, match="units"):
        transfer.Adapter(0)
    new, _ = transfer.insert_adapters(model, "conv")
    with pytest.raises(ValueError, match="cannot be merged"):
        transfer.merge(new)
    assert len(model.trainable_weights) == 0  # shared with the new one
    transfer.unload(new)
    assert len(model.trainable_weights) == 13


@pytest.mark.parametrize(
    "name", ["text", pytest.param("images", marks=pytest.mark.slow)]
)
def test_bit_fit_trains_biases_and_the_head_alone(name):
    model, x = made(name)
    number = len(model.trainable_weights)
    report = transfer.bit_fit(model, train="head")
    learning = {id(weight) for weight in model.trainable_weights}
    head = {id(weight) for weight in model.get_layer("head").weights}
    for weight in model.weights:
        bias = weight.path.endswith(("bias", "beta")) and "bn/" not in weight.path
        assert (id(weight) in learning) == (bias or id(weight) in head)
    assert ("bn/beta" in report.skipped) == (name == "images")
    before = values(model.weights)
    trained(model, x)
    for old, weight in zip(before, model.weights, strict=True):
        changed = np.abs(old - np.array(weight)).max() > 0
        if "key/bias" not in weight.path:  # of which attention does not depend
            assert changed == (id(weight) in learning), weight.path
    transfer.unload(model)
    assert len(model.trainable_weights) == number


def test_a_file_says_which_biases_learn(tmp_path):
    model, x = made("text")
    transfer.bit_fit(model, train="head")
    shaken(model).save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs(model, x), outputs(loaded, x))
    names = [weight.name for weight in model.trainable_weights]
    assert [weight.name for weight in loaded.trainable_weights] == names
    merged = transfer.merge(loaded)
    assert "perfkit" not in merged.to_json()


def test_bit_fit_refuses_a_model_without_biases():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, use_bias=False)])
    with pytest.raises(ValueError, match="biases"):
        transfer.bit_fit(model)
    assert len(model.trainable_weights) == 1
