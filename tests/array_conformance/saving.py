"""Config, serialization, and models that contain the layer."""

import inspect
import pathlib
import tempfile

import keras
import numpy as np

from perfkit import augment
from tests.array_conformance.kinds import (
    full_inputs,
    is_no_mixture,
    is_typical,
    main_of,
    slow_unless,
    values_of,
)
from tests.conformance.common import pinned, to_numpy


def model_of(layer, sized=True):
    """A model of the layer alone, and what it eats."""
    feed = full_inputs(layer)
    if not layer.mixes:
        del feed["labels"]
    inputs = {
        key: keras.Input(
            x.shape[1:] if sized else (None, *x.shape[2:])[: x.ndim - 1],
            dtype=x.dtype.name,
            name=key,
        )
        for key, x in feed.items()
    }
    return keras.Model(inputs, layer(inputs)[main_of(layer)]), feed


def check_config_covers_the_signature(make):
    layer = make()
    named = {
        parameter.name
        for cls in type(layer).__mro__
        if issubclass(cls, augment.Augment)
        for parameter in inspect.signature(cls.__init__).parameters.values()
        if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD
    }
    assert named <= set(layer.get_config())


def check_round_trips(make):
    layer = make()
    config = keras.saving.serialize_keras_object(layer)
    twin = keras.saving.deserialize_keras_object(config)
    assert twin.get_config() == layer.get_config()
    assert np.array_equal(values_of(twin), values_of(layer))


@slow_unless(is_typical)
def check_survives_a_keras_file(make):
    model, feed = model_of(make())
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "model.keras"
        model.save(file)
        twin = keras.saving.load_model(file)
    ours, theirs = [to_numpy(m(feed, training=True)) for m in (model, twin)]
    assert np.array_equal(ours, theirs)
    assert ours.shape[1:] == model.output_shape[1:]


@slow_unless(is_typical)
def check_serves_models_of_unknown_size(make):
    layer = pinned(make())
    sized = main_of(layer) == "features"
    model, feed = model_of(layer, sized)
    out = to_numpy(model(feed, training=True))
    assert np.array_equal(out, values_of(layer))
    assert model.output_shape[1] == (out.shape[1] if sized else None)


@slow_unless(is_no_mixture)
def check_output_shape_is_known_without_a_call(make):
    layer = make()
    main = main_of(layer)
    shapes = {key: (None, *x.shape[1:]) for key, x in full_inputs(layer).items()}
    computed = layer.compute_output_shape(shapes)
    assert computed[main] == (None, *values_of(layer).shape[1:])
