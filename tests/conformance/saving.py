"""Config, serialization, and models that contain the layer."""

import inspect
import pathlib
import tempfile

import keras
import numpy as np

from perfkit import augment
from tests.conformance.common import (
    IMAGES,
    images_of,
    of_the_base,
    pinned,
    to_numpy,
    with_labels,
)


def _model(layer, height=None, width=None):
    def symbol(x, name=None):
        grid = x.ndim == 4
        shape = (height, width, x.shape[-1]) if grid else x.shape[1:]
        return keras.Input(shape, dtype=x.dtype, name=name)

    feed = _feed(layer, IMAGES)
    boxes = feed.pop("bounding_boxes", None)
    inputs = {key: symbol(value, key) for key, value in feed.items()}
    if boxes:
        inputs["bounding_boxes"] = keras.tree.map_structure(symbol, boxes)
    outputs = layer(inputs)["images"] if layer.mixes else layer(inputs["images"])
    return keras.Model(inputs, outputs)


def _feed(layer, images):
    return with_labels(images) if layer.mixes else {"images": images}


def check_config_covers_the_signature(make):
    layer = make()
    named = {
        parameter.name
        for cls in type(layer).__mro__
        if issubclass(cls, augment.Augment)
        for parameter in inspect.signature(cls.__init__).parameters.values()
        if parameter.name != "self"
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    assert named <= set(layer.get_config())


def check_round_trips(make):
    layer = make()
    config = keras.saving.serialize_keras_object(layer)
    twin = keras.saving.deserialize_keras_object(config)
    assert twin.get_config() == layer.get_config()
    assert np.array_equal(images_of(twin), images_of(layer))


@of_the_base
def check_survives_a_keras_file(make):
    layer = make()
    model = _model(layer, *IMAGES.shape[1:3])
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "model.keras"
        model.save(file)
        twin = keras.saving.load_model(file)
    feed = _feed(layer, IMAGES)
    ours, theirs = [to_numpy(m(feed, training=True)) for m in (model, twin)]
    assert np.array_equal(ours, theirs)
    assert ours.shape[1:] == model.output_shape[1:]


@of_the_base
def check_serves_models_of_unknown_size(make):
    layer = pinned(make())
    model = _model(layer)
    for images in (IMAGES, np.tile(IMAGES, (1, 2, 2, 1))):
        out = to_numpy(model(_feed(layer, images), training=True))
        assert np.array_equal(out, images_of(layer, images))
        for symbolic, real in zip(model.output_shape, out.shape, strict=True):
            assert symbolic in (None, real)


@of_the_base
def check_output_shape_is_known_without_a_call(make):
    layer = make()
    shape = (None, *IMAGES.shape[1:])
    if layer.mixes:
        shape = keras.tree.map_structure(
            lambda x: (None, *x.shape[1:]), with_labels(IMAGES)
        )
    computed = layer.compute_output_shape(shape)
    computed = computed["images"] if layer.mixes else computed
    assert computed == (None, *images_of(layer).shape[1:])
