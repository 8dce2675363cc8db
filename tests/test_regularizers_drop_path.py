"""Stochastic depth in models that are built."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import regularizers
from perfkit.layers import DropPath
from tests.test_regularizers_dropout import IMAGES, names, numpy, reloaded


def resnet():
    """Residual sums: by a layer, by `+`, and with a projection."""
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(image)
    branch = layers.Conv2D(4, 3, padding="same", name="a")(x)
    x = layers.Add(name="first")([layers.ReLU(name="last_of_a")(branch), x])
    x = x + layers.Conv2D(4, 3, padding="same", name="b")(x)
    branch = layers.Conv2D(8, 3, padding="same", name="c")(x)
    branch = layers.Conv2D(8, 3, padding="same", name="d")(branch)
    x = layers.Add(name="third")([layers.Conv2D(8, 1, name="projection")(x), branch])
    return keras.Model(image, layers.GlobalAveragePooling2D()(x))


@pytest.mark.parametrize("layer", [None, DropPath])
def test_stochastic_depth_lies_on_the_branch_and_not_on_the_identity(layer, tmp_path):
    model = resnet()
    new, report = regularizers.attach_drop_path(model, (0.0, 0.5), layer=layer)
    assert list(report.rates.values()) == [0.0, 0.25, 0.5]
    assert list(report.places.values())[::2] == ["first", "third"]
    np.testing.assert_array_equal(numpy(new(IMAGES)), numpy(model(IMAGES)))
    loaded = reloaded(new, tmp_path)
    np.testing.assert_allclose(numpy(loaded(IMAGES)), numpy(new(IMAGES)), atol=1e-6)
    with pytest.raises(ValueError, match="follows first_drop_path"):
        regularizers.attach_drop_path(loaded, 0.1)


@pytest.mark.parametrize("kind", ["layer", "swapped", "plus", "projection"])
def test_without_its_branch_a_sum_is_the_identity(kind):
    """At a rate near 1 hardly a branch is left."""
    inputs, wide = keras.Input((6,)), layers.Dense(6, name="wide")
    branch = layers.Dense(6)(layers.Dense(9)(inputs))
    shortcut = wide(inputs) if kind == "projection" else inputs
    pair = [branch, shortcut] if kind == "swapped" else [shortcut, branch]
    outputs = pair[0] + pair[1] if kind == "plus" else layers.Add()(pair)
    new, _ = regularizers.attach_drop_path(keras.Model(inputs, outputs), 0.9999)
    x = np.random.default_rng(0).normal(size=(8, 6)).astype("float32")
    expected = numpy(wide(x)) if kind == "projection" else x
    np.testing.assert_allclose(numpy(new(x, training=True)), expected, atol=1e-5)


def test_each_sample_is_dropped_by_itself():
    inputs = keras.Input((6,))
    branch = layers.Dense(6, name="branch", bias_initializer="ones")(inputs)
    model = keras.Model(inputs, layers.Add(name="sum")([inputs, branch]))
    new, _ = regularizers.attach_drop_path(model, 0.25)
    x = np.random.default_rng(0).normal(size=(400, 6)).astype("float32")
    rest = numpy(new(x, training=True)) - x
    full = numpy(model(x)) - x
    dropped = np.abs(rest).max(-1) < 1e-6
    assert abs(dropped.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 400)
    np.testing.assert_allclose(
        rest[~dropped], full[~dropped] / 0.75, rtol=1e-3, atol=1e-4
    )


def test_stochastic_depth_goes_behind_the_dropout_of_a_branch():
    inputs = keras.Input((4,))
    branch = layers.Dropout(0.1, name="usual")(layers.Dense(4, name="d")(inputs))
    model = keras.Model(inputs, layers.Add(name="sum")([inputs, branch]))
    for layer in (None, DropPath):
        new, _ = regularizers.attach_drop_path(model, 0.1, layer=layer)
        assert names(new)[1:] == ["d", "usual", "sum_drop_path", "sum"]
        new.get_layer("sum_drop_path").name = "renamed"
        with pytest.raises(ValueError, match="follows renamed"):
            regularizers.attach_drop_path(new, 0.1)


def test_a_sum_within_a_nested_model_is_selected_by_that_model():
    inputs = keras.Input((4,))
    block = keras.Model(inputs, inputs + layers.Dense(4)(inputs), name="block")
    x = block(inputs)
    model = keras.Model(inputs, x + layers.Dense(4)(x))
    for where in (block, "block", "block/*"):
        _, report = regularizers.attach_drop_path(model, 0.1, where=where)
        assert [place.split("/")[0] for place in report.places] == ["block"]
    with pytest.raises(ValueError, match="must be a choice from the sums"):
        regularizers.attach_drop_path(model, 0.1, where=lambda layer: layer.units)


def test_sums_that_are_not_residual_are_left_alone():
    inputs = keras.Input((4,))
    both = [layers.Dense(4, name=name)(inputs) for name in "ab"]
    x = layers.Add(name="parallel")(both)
    x = layers.Add(name="scaled")([x, layers.Rescaling(0.5)(x)])
    x = layers.Add(name="double")([x, x])
    model = keras.Model(inputs, x + layers.Dense(4, name="c")(x))
    _, report = regularizers.attach_drop_path(model, 0.1)
    assert len(report.places) == 1
    assert set(report.skipped) == {"parallel", "scaled", "double"}
    with pytest.raises(ValueError, match="parallel: no residual branch"):
        regularizers.attach_drop_path(model, 0.1, where="parallel")
    with pytest.raises(ValueError, match=r"scaled.*Received: where='doubel'"):
        regularizers.attach_drop_path(model, 0.1, where=["scaled", "doubel"])
    with pytest.raises(ValueError, match="must be no slice of the depth"):
        regularizers.attach_drop_path(model, 0.1, where=slice(0, 0.5))
    one = keras.Model(inputs, layers.Add(name="one")([inputs, layers.Dense(4)(inputs)]))
    _, report = regularizers.attach_drop_path(one, (0.0, 0.1))
    assert report.rates == {"one_drop_path": 0.1}
    plain = keras.Sequential([keras.Input((3,)), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"the sums.*: none in this model"):
        regularizers.attach_drop_path(plain, 0.1)
