"""Models that are made anew from one that is there."""

import keras
import numpy as np
import pytest

from perfkit import transfer
from perfkit.graph.calls import read
from perfkit.graph.copying import copied
from perfkit.graph.rebuilding import rebuilt

layers = keras.layers


def by_copying(model):
    return copied("test", "model", model)


def by_rebuilding(model):
    return rebuilt(read("test", model))


every_way = pytest.mark.parametrize("way", [by_copying, by_rebuilding])


def values(x):
    return np.array(keras.ops.convert_to_numpy(x))


def adapted(layer, data):
    layer.adapt(data)
    return layer


@every_way
def test_a_new_model_normalizes_as_the_old_one_does(way):
    data = np.random.default_rng(0).normal(5.0, 3.0, (50, 6, 3)).astype("float32")
    inner = keras.Sequential(
        [keras.Input((6, 3)), adapted(layers.Normalization(), data), layers.Dense(4)]
    )
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            layers.TimeDistributed(adapted(layers.Normalization(), data[:, 0])),
            inner,
            layers.Dense(2),
        ]
    )
    new = way(model)
    np.testing.assert_allclose(values(new(data)), values(model(data)), rtol=1e-5)


def test_a_mean_of_models_normalizes_by_the_mean_of_what_they_adapted_to():
    data = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    models = [
        keras.Sequential([keras.Input((3,)), adapted(layers.Normalization(), moved)])
        for moved in (data, data + 10.0)
    ]
    mean = transfer.average_weights(models)
    expected = values(models[0](data - 5.0))
    np.testing.assert_allclose(values(mean(data)), expected, atol=1e-4)


@every_way
@pytest.mark.parametrize(
    "options",
    [
        {"output_mode": "one_hot"},
        {"output_mode": "tf_idf"},
        {"output_mode": "tf_idf", "max_tokens": 9, "pad_to_max_tokens": True},
    ],
)
def test_a_new_model_looks_terms_up_as_the_old_one_does(way, options):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("a lookup is part of a model on TensorFlow alone")
    terms = [["a"], ["b"], ["a"], ["c"]]
    inputs = keras.Input((1,), dtype="string")
    x = adapted(layers.StringLookup(**options), terms)(inputs)
    model = keras.Model(inputs, layers.Dense(2)(x))
    words = tf.constant([["a"], ["c"], ["d"]])
    np.testing.assert_allclose(values(way(model)(words)), values(model(words)))


def test_a_new_model_splits_texts_as_the_old_one_does():
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("a lookup is part of a model on TensorFlow alone")
    model = keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            adapted(layers.TextVectorization(output_sequence_length=3), ["a b", "b c"]),
            layers.Embedding(5, 2),
        ]
    )
    texts = tf.constant([["b c d"], ["a"]])
    np.testing.assert_array_equal(by_copying(model)(texts), model(texts))


scale = 3.0  # which code alone would not find


def test_functions_of_lambda_layers_go_into_a_new_model():
    def halved(x, by):
        return x / by

    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Lambda(lambda x: x * scale, output_shape=lambda shape: shape),
            layers.Lambda(halved, arguments={"by": 2.0}, name="halved"),
            layers.Dense(2),
        ]
    )
    x = np.ones((1, 4), "float32")
    new = by_rebuilding(model)
    assert new.get_layer("halved") is not model.get_layer("halved")
    np.testing.assert_allclose(values(new(x)), values(model(x)), rtol=1e-6)
