"""Normalizations of built models, against NumPy."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import surgery
from perfkit.layers import FilterResponseNormalization
from tests import surgery_models as models
from tests.layer_conformance.common import numpy

FEATURES = np.random.default_rng(0).normal(1.0, 2.0, (3, 5, 6, 8)).astype("float32")


def one(norm, channels=8, form="channels_last"):
    """A model of a normalization, with weights that tell."""
    shape = (5, 6, channels) if form == "channels_last" else (channels, 5, 6)
    return models.moved(keras.Sequential([keras.Input(shape), norm]))


def scaled(x, layer):
    return x * numpy(layer.gamma) + numpy(layer.beta)


def by_groups(x, groups, epsilon=1e-3):
    """What is normalized by the statistics of groups of its channels."""
    parts = x.reshape(*x.shape[:-1], groups, -1)
    mean = parts.mean((1, 2, 4), keepdims=True)
    variance = parts.var((1, 2, 4), keepdims=True)
    return ((parts - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)


@pytest.mark.parametrize(
    ("channels", "groups"), [(1, 1), (3, 1), (4, 2), (6, 3), (8, 4), (64, 32), (96, 32)]
)
def test_groups_are_of_two_channels_and_at_most_32(channels, groups):
    norm = layers.BatchNormalization(name="norm")
    new, _ = surgery.swap_normalization(one(norm, channels), layers.GroupNormalization)
    assert new.get_layer("norm").groups == groups


@pytest.mark.parametrize("form", ["channels_last", "channels_first"])
def test_scale_and_offset_go_over_to_groups(form):
    axis = -1 if form == "channels_last" else 1
    norm = layers.BatchNormalization(axis, epsilon=0.1, name="norm")
    new, changed = surgery.swap_normalization(
        one(norm, form=form), functools.partial(layers.GroupNormalization, groups=2)
    )
    x = FEATURES if axis == -1 else np.moveaxis(FEATURES, -1, 1)
    found = numpy(new(x))
    found = found if axis == -1 else np.moveaxis(found, 1, -1)
    wanted = scaled(by_groups(FEATURES, 2), norm)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert changed.parameters == -16  # the moving statistics
    assert str(changed).splitlines()[1:] == [
        "  GroupNormalization for BatchNormalization at norm, -16 parameters"
    ]


def test_scale_and_offset_go_over_to_the_norm_of_a_place():
    norm = layers.BatchNormalization(name="norm")
    new, _ = surgery.swap_normalization(one(norm), layers.LayerNormalization)
    mean, variance = FEATURES.mean(-1, keepdims=True), FEATURES.var(-1, keepdims=True)
    wanted = scaled((FEATURES - mean) / np.sqrt(variance + 1e-3), norm)
    np.testing.assert_allclose(numpy(new(FEATURES)), wanted, atol=1e-5)


def test_the_scale_goes_over_to_a_root_mean_square_and_the_offset_is_noted():
    norm = layers.BatchNormalization(name="norm")
    new, changed = surgery.swap_normalization(one(norm), layers.RMSNormalization)
    mean_square = np.mean(FEATURES**2, axis=-1, keepdims=True)
    wanted = FEATURES / np.sqrt(mean_square + 1e-6) * numpy(norm.gamma)
    np.testing.assert_allclose(numpy(new(FEATURES)), wanted, rtol=1e-4, atol=1e-5)
    assert changed.changes[0].note == "without the offset it had"
    plain = keras.Sequential([keras.Input((4,)), layers.BatchNormalization()])
    _, changed = surgery.swap_normalization(plain, layers.RMSNormalization)
    assert not changed.changes[0].note


@pytest.mark.parametrize("form", ["channels_last", "channels_first"])
def test_scale_and_offset_go_over_to_filter_responses(form):
    axis = -1 if form == "channels_last" else 1
    norm = layers.BatchNormalization(axis, name="norm")
    new, _ = surgery.swap_normalization(
        one(norm, form=form), FilterResponseNormalization
    )
    layer = new.get_layer("norm")
    x = FEATURES if axis == -1 else np.moveaxis(FEATURES, -1, 1)
    found = numpy(new(x))
    found = found if axis == -1 else np.moveaxis(found, 1, -1)
    square = np.mean(FEATURES**2, axis=(1, 2), keepdims=True)
    wanted = scaled(FEATURES / np.sqrt(square + layer.epsilon), norm)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_same_kind_keeps_its_statistics():
    model = one(layers.BatchNormalization(epsilon=0.1, momentum=0.9, name="norm"))
    make = functools.partial(layers.BatchNormalization, momentum=0.5)
    new, changed = surgery.swap_normalization(model, make)
    layer = new.get_layer("norm")
    assert (layer.momentum, layer.epsilon) == (0.5, 0.1)
    assert changed.identity
    np.testing.assert_array_equal(numpy(new(FEATURES)), numpy(model(FEATURES)))


def test_what_it_had_not_it_does_not_get():
    norm = layers.BatchNormalization(scale=False, name="norm")
    new, changed = surgery.swap_normalization(one(norm), layers.GroupNormalization)
    layer = new.get_layer("norm")
    assert (layer.scale, layer.center) == (False, True)
    wanted = by_groups(FEATURES, 4) + numpy(norm.beta)
    np.testing.assert_allclose(numpy(new(FEATURES)), wanted, atol=1e-5)
    assert not changed.changes[0].note


def test_regularizers_of_scale_and_offset_stay():
    norm = layers.BatchNormalization(gamma_regularizer="l2", name="norm")
    new, _ = surgery.swap_normalization(one(norm), layers.GroupNormalization)
    assert new.get_layer("norm").gamma_regularizer is not None
    assert new.get_layer("norm").beta_regularizer is None
    assert len(new.losses) == 1


def test_other_kinds_and_some_of_them_are_selected():
    parts = [layers.LayerNormalization(name="a"), layers.BatchNormalization(name="b")]
    model = keras.Sequential([keras.Input((4,)), *parts])

    def kinds(**arguments):
        new, _ = surgery.swap_normalization(model, layers.RMSNormalization, **arguments)
        return [type(layer).__name__[:3] for layer in new.layers]

    both = (layers.LayerNormalization, layers.BatchNormalization)
    assert kinds() == ["Lay", "RMS"]
    assert kinds(old=layers.LayerNormalization) == ["RMS", "Bat"]
    assert kinds(old=both) == ["RMS", "RMS"]
    assert kinds(old=both, where="a") == ["RMS", "Bat"]


def test_what_is_left_is_said():
    inputs = keras.Input((4, 4, 6))
    x = layers.LayerNormalization([1, 2], name="places")(inputs)
    x = layers.LayerNormalization(name="channels")(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.LayerNormalization(name="vectors")(x))
    _, changed = surgery.swap_normalization(
        model, FilterResponseNormalization, old=layers.LayerNormalization
    )
    assert [change.place for change in changed.changes] == ["channels"]
    assert changed.skipped == {
        "places": "normalizes no single axis of channels",
        "vectors": "FilterResponseNormalization takes no tensors of 2 axes",
    }


@pytest.mark.parametrize(
    ("new", "more", "kind", "message"),
    [
        (
            functools.partial(layers.GroupNormalization, groups=3),
            {},
            ValueError,
            r"new=...\).*groups divide the 8 channels at norm",
        ),
        (layers.LayerNormalization(), {}, TypeError, r"new=...\).*a new layer"),
        (lambda: "norm", {}, TypeError, r"new=...\).*where it made 'norm'"),
        (layers.LayerNormalization, {"old": "norm"}, TypeError, r"old=...\).*a class"),
        (layers.LayerNormalization, {"old": ()}, TypeError, r"old=...\).*a class"),
        (
            layers.BatchNormalization,
            {"old": layers.LayerNormalization},
            ValueError,
            "LayerNormalization: none in this model",
        ),
    ],
)
def test_what_it_cannot_do_is_refused(new, more, kind, message):
    model = one(layers.BatchNormalization(name="norm"))
    with pytest.raises(kind, match=message):
        surgery.swap_normalization(model, new, **more)
