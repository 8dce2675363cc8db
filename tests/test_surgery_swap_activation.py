"""Activations of built models, against the same model built with others."""

import functools

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import surgery
from perfkit.layers import ThresholdedLinearUnit
from tests import surgery_models as models
from tests.layer_conformance.common import numpy

IMAGES = models.IMAGES


def built(inside="relu", alone=layers.ReLU, called=keras.activations.relu):
    """Activations in a layer, as a layer, by name, and as an operation."""
    image = keras.Input((12, 12, 3))
    x = layers.Conv2D(4, 3, activation=inside, name="inside")(image)
    x = alone(name="alone")(layers.Conv2D(4, 3, name="a")(x))
    x = called(layers.Conv2D(4, 3, name="b")(x))
    x = layers.GlobalAveragePooling2D()(x)
    outputs = layers.Dense(3, activation="softmax", name="head")(x)
    return models.moved(keras.Model(image, outputs))


def places(changed):
    return [change.place.rstrip("_0123456789") for change in changed.changes]


silu = functools.partial(layers.Activation, "silu")
ALL = {"inside": "silu", "alone": silu, "called": keras.activations.silu}


@pytest.mark.parametrize(
    ("old", "names"),
    [
        ("relu", ["inside", "alone", "called"]),
        (keras.activations.relu, ["inside", "alone", "called"]),
        (keras.ops.relu, ["inside", "alone", "called"]),
        (layers.ReLU, ["alone"]),
        (["softmax", layers.ReLU], ["alone"]),
    ],
)
@pytest.mark.parametrize("new", ["silu", "swish", keras.activations.silu])
def test_they_do_what_those_do_that_were_built_so(old, names, new):
    if old is keras.ops.relu and new != "silu":
        pytest.skip("the same a second time")
    model = built()
    if isinstance(old, list):
        made, _ = surgery.swap_activation(model, old, new, where="alone")
    else:
        made, _ = surgery.swap_activation(model, old, new)
    wanted = built(**{name: ALL[name] for name in names})
    np.testing.assert_allclose(numpy(made(IMAGES)), numpy(wanted(IMAGES)), atol=1e-6)


def test_the_report_names_what_was_there_and_what_is():
    _, changed = surgery.swap_activation(built(), "relu", "silu")
    assert places(changed) == ["inside", "alone", "re_lu"]
    assert {(change.old, change.new) for change in changed.changes} == {
        ("relu", "silu")
    }
    assert not changed.identity
    assert changed.parameters == 0


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("inside", ["inside"]),
        ("al*", ["alone"]),
        (layers.Conv2D, ["inside"]),
        (lambda layer: layer.name == "alone", ["alone"]),
        (slice(0, 0.3), ["inside"]),
    ],
)
def test_some_of_them_are_selected(where, found):
    _, changed = surgery.swap_activation(built(), "relu", "silu", where=where)
    assert places(changed) == found


def test_relu6_is_a_relu_with_a_maximum():
    model = built(alone=functools.partial(layers.ReLU, 6.0))
    new, changed = surgery.swap_activation(model, "relu6", "relu")
    assert places(changed) == ["alone"]
    np.testing.assert_allclose(
        numpy(new(IMAGES)), numpy(built()(IMAGES)), rtol=1e-6, atol=1e-6
    )
    capped = built(called=functools.partial(keras.activations.relu, max_value=6.0))
    _, changed = surgery.swap_activation(capped, "relu6", "relu")
    assert len(changed.changes) == 1
    leaky = built(alone=functools.partial(layers.ReLU, negative_slope=0.1))
    _, changed = surgery.swap_activation(leaky, "relu", "silu")
    assert places(changed) == ["inside", "re_lu"]


def test_what_does_the_same_is_known_as_such():
    _, changed = surgery.swap_activation(
        built(), "relu", functools.partial(layers.LeakyReLU, 0.0)
    )
    assert changed.identity
    _, changed = surgery.swap_activation(built(), "relu", layers.LeakyReLU)
    assert not changed.identity


@pytest.mark.parametrize("kind", [layers.PReLU, ThresholdedLinearUnit])
def test_layers_with_weights_come_behind_what_is_linear_then(kind):
    model = built()
    new, changed = surgery.swap_activation(model, "relu", kind)
    added = [new.get_layer(change.path) for change in changed.changes]
    assert [type(layer) for layer in added] == [kind] * 3
    assert new.get_layer("inside").activation is keras.activations.linear
    assert [change.parameters for change in changed.changes] == [
        layer.count_params() for layer in added
    ]
    assert changed.parameters == new.count_params() - model.count_params() > 0
    assert changed.identity
    np.testing.assert_allclose(numpy(new(IMAGES)), numpy(model(IMAGES)), atol=1e-6)


def test_a_layer_with_weights_goes_with_them():
    model = built(alone=layers.PReLU)
    new, changed = surgery.swap_activation(model, layers.PReLU, "relu")
    assert changed.parameters == -model.get_layer("alone").count_params() < 0
    assert new.count_params() == model.count_params() + changed.parameters


def test_recurrent_layers_keep_theirs():
    parts = [keras.Input((4, 2)), layers.LSTM(3), layers.Dense(2, activation="tanh")]
    model = keras.Sequential(parts)
    _, changed = surgery.swap_activation(model, "tanh", "relu")
    assert [change.place for change in changed.changes] == [model.layers[1].name]
    with pytest.raises(ValueError, match=r"old=...\).*in the model: tanh\."):
        surgery.swap_activation(model, "sigmoid", "hard_sigmoid")


def test_what_is_regularized_behind_its_activation_is_left():
    regular = layers.Conv2D(
        4, 3, activation="relu", activity_regularizer="l2", name="regular"
    )
    model = keras.Sequential([keras.Input((8, 8, 3)), regular, layers.ReLU()])
    _, changed = surgery.swap_activation(model, "relu", layers.PReLU)
    assert len(changed.changes) == 1
    why = "has an activity regularizer behind its activation"
    assert changed.skipped == {"regular": why}
    new, changed = surgery.swap_activation(model, "relu", "silu")
    assert len(changed.changes) == 2
    assert new.get_layer("regular").activity_regularizer is not None


@pytest.mark.parametrize(
    ("old", "new", "kind", "message"),
    [
        ("relu", None, ValueError, r"new=...\).*the name of an activation"),
        ("relu", 3, ValueError, r"new=...\).*Received: new=3"),
        ("relu", "nothing", ValueError, r"new=...\).*'nothing'"),
        ("relu", layers.PReLU(), ValueError, r"new=...\).*a class of layers"),
        (3, "relu", TypeError, r"old=...\).*Received: old=3"),
        ("gelu", "relu", ValueError, r"old=...\).*model: relu, softmax\."),
        ("nothing", "relu", ValueError, r"old=...\).*model: relu, softmax\."),
    ],
)
def test_what_it_cannot_do_is_said(old, new, kind, message):
    with pytest.raises(kind, match=message):
        surgery.swap_activation(built(), old, new)
