"""Keras 3 models as Keras 2 ones, tfmot on these, and the way back."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from perfkit import compress
from perfkit.compress import tfmot
from perfkit.graph.trails import trails
from tests.tfmot_cases import assert_same

layers = keras.layers


def randomized(model):
    """Give batch normalization statistics and parameters that show."""
    rng = np.random.default_rng(0)
    for *_, layer in trails(model):
        if isinstance(layer, layers.BatchNormalization):
            size = layer.moving_mean.shape
            layer.moving_mean.assign(rng.normal(0.0, 0.2, size))
            layer.moving_variance.assign(rng.uniform(0.5, 1.5, size))
            layer.gamma.assign(rng.uniform(0.5, 1.5, size))
            layer.beta.assign(rng.normal(0.0, 0.2, size))
    return model


@pytest.fixture
def cnn():
    """A small depthwise CNN with random weights and statistics."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(8, 3, use_bias=False, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(6.0, name="relu"),
            layers.DepthwiseConv2D(3, activation="relu", name="depthwise"),
            layers.Flatten(name="flat"),
            layers.Dense(4, name="head"),
        ]
    )
    return randomized(model)


def images(count=16, size=12):
    rng = np.random.default_rng(1)
    return rng.normal(size=(count, size, size, 3)).astype("float32")


def fit(twin, **arguments):
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    twin.compile("sgd", loss)
    twin.fit(images(), np.arange(16) % 4, batch_size=8, verbose=0, **arguments)


def assert_equal_weights(ours, theirs):
    assert len(ours.weights) == len(theirs.weights)
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(one, other)


# Whole models


LARGE = ("ResNet50", "EfficientNetB0", "DenseNet121", "MobileNetV3Small")


def application(name):
    keras.utils.set_random_seed(0)
    make = getattr(keras.applications, name)
    logits = {"weights": None, "classes": 10, "classifier_activation": None}
    return randomized(make(input_shape=(96, 96, 3), **logits))


@pytest.mark.parametrize(
    "name", ["MobileNetV2", *(pytest.param(x, marks=pytest.mark.slow) for x in LARGE)]
)
def test_an_application_computes_the_same_and_comes_back_bit_for_bit(name):
    model = application(name)
    twin = tfmot.to_tf_keras(model)
    assert_same(model, twin, 127 + 60 * images(2, 96), tolerance=1e-5)
    assert_equal_weights(tfmot.from_tf_keras(twin, like=model), model)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["MobileNetV2", *LARGE])
def test_tfmot_takes_an_application(name):
    """Where it refuses the whole model, layer by layer, as its guide says."""
    model = application(name)
    sparsity, quantization = tfmot.sparsity.keras, tfmot.quantization.keras
    clustering = tfmot.clustering.keras

    def wrapped(wrap):
        def clone(layer):
            return wrap(layer) if type(layer) is tf_keras.layers.Conv2D else layer

        twin = tfmot.to_tf_keras(model)  # a new one each time: tfmot wraps its layers
        return tf_keras.models.clone_model(twin, clone_function=clone)

    pruned = sparsity.strip_pruning(wrapped(sparsity.prune_low_magnitude))
    quantized = quantization.quantize_apply(
        wrapped(quantization.quantize_annotate_layer)
    )
    for ready in (pruned, quantized):
        assert_equal_weights(tfmot.from_tf_keras(ready, like=model), model)
    clustered = clustering.cluster_weights(
        tfmot.to_tf_keras(model),
        number_of_clusters=8,
        cluster_centroids_init=clustering.CentroidInitialization.LINEAR,
    )
    back = tfmot.from_tf_keras(clustering.strip_clustering(clustered), like=model)
    kernel = next(x for x in back.layers if type(x) is layers.Conv2D).kernel
    assert len(np.unique(kernel)) <= 8


def test_layers_have_the_same_names_and_what_is_trainable_stays(cnn):
    cnn.get_layer("norm").trainable = False
    twin = tfmot.to_tf_keras(cnn)
    names = [layer.name for layer in cnn.layers]
    assert [layer.name for layer in twin.layers][1:] == names
    ours = [weight.path.partition("/")[2] for weight in cnn.trainable_weights]
    theirs = [weight.name.partition(":")[0] for weight in twin.trainable_weights]
    aside = "depthwise/depthwise_kernel"
    assert [name.replace(aside, "depthwise/kernel") for name in theirs] == ours


def test_what_is_trainable_in_what_holds_others_stays():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])
    inner.layers[0].trainable = False
    rows = keras.Input((5, 4))
    outputs = layers.Bidirectional(layers.GRU(2))(layers.TimeDistributed(inner)(rows))
    model = keras.Model(rows, outputs)
    model.layers[-1].trainable = False
    model.layers[-1].backward_layer.trainable = True
    twin = tfmot.to_tf_keras(model)
    shapes = [tuple(weight.shape) for weight in model.trainable_weights]
    assert [tuple(weight.shape) for weight in twin.trainable_weights] == shapes
    model.trainable = False
    assert not tfmot.to_tf_keras(model).trainable_weights


def test_the_twin_is_of_keras_2_and_has_values_of_its_own(cnn):
    before = cnn.get_weights()
    twin = tfmot.to_tf_keras(cnn)
    assert isinstance(twin, tf_keras.Model)
    fit(twin)
    for value, weight in zip(before, cnn.weights, strict=True):
        np.testing.assert_array_equal(weight, value)


def two_inputs():
    """Shared and nested layers, two inputs, a structure of outputs, arithmetic."""
    shared = layers.Dense(4, name="shared")
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4), layers.BatchNormalization()], name="inner"
    )
    outer = keras.Sequential([inner, layers.ReLU(0.5)], name="outer")
    outer.build((None, 4))
    left, right = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    x = outer(shared(left) * 2.0 - 1.0 / (3.0 + abs(shared(right))))
    y = layers.Subtract()([outer(x), right[:, ::-1]])
    outputs = {"x": x, "rest": [layers.Dense(2)(y), keras.ops.mean(y, axis=1)]}
    return randomized(keras.Model({"left": left, "right": right}, outputs))


def test_shared_and_nested_layers_and_structures_cross():
    model = two_inputs()
    data = {"left": images(5)[:, 0, :4, 0], "right": images(5)[:, 1, :4, 1]}
    twin = tfmot.to_tf_keras(model)
    assert_same(model, twin, data)
    assert set(twin(data)) == {"x", "rest"}
    assert twin.count_params() == model.count_params()
    assert_equal_weights(tfmot.from_tf_keras(twin, like=model), model)


def test_what_a_call_was_given_crosses():
    tokens = keras.Input((6,), dtype="int32")
    x = layers.Embedding(5, 4)(tokens)
    x = layers.BatchNormalization()(x, training=False)
    x, *states = layers.LSTM(3, return_sequences=True, return_state=True)(x)
    # By position, and in Keras 2 in another one.
    x = layers.LSTM(3, return_sequences=True)(x, states)
    heads = layers.MultiHeadAttention(2, 3)
    x = heads(x, x, use_causal_mask=True)
    model = keras.Model(tokens, layers.GRU(3)(x))
    data = np.random.default_rng(0).integers(0, 5, (4, 6))
    assert_same(model, tfmot.to_tf_keras(model), data)


def test_adapted_statistics_cross_and_come_back():
    norm = layers.Normalization(name="norm")
    norm.adapt(images(50)[:, 0, 0])
    model = keras.Sequential([keras.Input((3,)), norm])
    twin = tfmot.to_tf_keras(model)
    data = images(4)[:, 0, 0]
    assert_same(model, twin, data)
    twin.get_layer("norm").adapt(2.0 + images(50)[:, 1, 1])
    assert_same(tfmot.from_tf_keras(twin, like=model), twin, data)


def test_penalties_and_constraints_cross():
    dense = layers.Dense(
        2,
        kernel_regularizer=keras.regularizers.L1L2(0.1, 0.2),
        kernel_constraint=keras.constraints.MaxNorm(0.5),
        name="dense",
    )
    model = keras.Sequential([keras.Input((3,)), dense])
    twin = tfmot.to_tf_keras(model)
    assert float(sum(twin.losses)) == pytest.approx(float(sum(model.losses)))
    kernel = np.ones((3, 2), "float32")
    ours = keras.ops.convert_to_numpy(dense.kernel_constraint(kernel))
    theirs = twin.get_layer("dense").kernel_constraint(kernel).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)


# What tfmot does to the twin


def test_what_tfmot_pruned_comes_back_as_sparse(cnn):
    sparsity = tfmot.sparsity.keras
    schedule = sparsity.ConstantSparsity(0.75, begin_step=0, frequency=1)
    pruned = sparsity.prune_low_magnitude(tfmot.to_tf_keras(cnn), schedule)
    fit(pruned, callbacks=[sparsity.UpdatePruningStep()])
    with pytest.raises(ValueError, match=r"strip_pruning.*prune_low_magnitude_first"):
        tfmot.from_tf_keras(pruned, like=cnn)
    stripped = sparsity.strip_pruning(pruned)
    before = cnn.get_weights()
    back = tfmot.from_tf_keras(stripped, like=cnn)
    assert all(map(np.array_equal, before, cnn.get_weights()))
    for name in ("first", "head"):
        kernel = keras.ops.convert_to_numpy(back.get_layer(name).kernel)
        assert np.mean(kernel == 0.0) == pytest.approx(0.75, abs=1 / kernel.size)
    assert_same(back, stripped, images())


def test_what_tfmot_clustered_comes_back_with_so_many_values(cnn):
    clustering = tfmot.clustering.keras
    clustered = clustering.cluster_weights(
        tfmot.to_tf_keras(cnn),
        number_of_clusters=5,
        cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
    )
    with pytest.raises(ValueError, match="strip_clustering"):
        tfmot.from_tf_keras(clustered, like=cnn)
    stripped = clustering.strip_clustering(clustered)
    back = tfmot.from_tf_keras(stripped, like=cnn)
    assert len(np.unique(back.get_layer("first").kernel)) == 5
    assert len(np.unique(back.get_layer("head").kernel)) == 5
    assert_same(back, stripped, images())


@pytest.mark.filterwarnings("ignore:Statistics for quantized inputs")
def test_fake_quantization_trains_and_is_exported_and_weights_come_back(cnn, tmp_path):
    quantized = tfmot.quantization.keras.quantize_model(tfmot.to_tf_keras(cnn))
    fit(quantized, epochs=3)
    converter = tf.lite.TFLiteConverter.from_keras_model(quantized)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    path = tmp_path / "cnn.tflite"
    path.write_bytes(converter.convert())
    lite = compress.LiteModel(path)
    assert "int8" in {dtype for _, dtype in lite.tensors()}
    given = quantized(images(), training=False).numpy()
    step = np.diff(np.unique(given.round(5))).min()
    np.testing.assert_allclose(lite.predict(images()), given, atol=1.01 * step)

    back = tfmot.from_tf_keras(quantized, like=cnn)
    theirs = {weight.name: weight.numpy() for weight in quantized.weights}
    np.testing.assert_array_equal(
        back.get_layer("first").kernel, theirs["first/kernel:0"]
    )
    np.testing.assert_array_equal(
        back.get_layer("norm").moving_mean, theirs["norm/moving_mean:0"]
    )
    float_outputs = keras.ops.convert_to_numpy(back(images(), training=False))
    apart = np.abs(float_outputs - given).max() / np.abs(given).max()
    assert 1e-5 < apart < 0.2  # what fake quantization rounds


def test_keras_3_models_are_exported_after_tfmot_was_used(cnn, tmp_path):
    tfmot.sparsity.keras.prune_low_magnitude(tfmot.to_tf_keras(cnn))
    report = compress.export_tflite(cnn, tmp_path / "cnn.tflite", verbose=False)
    given = compress.LiteModel(report.path).predict(images(4))
    expected = keras.ops.convert_to_numpy(cnn(images(4), training=False))
    np.testing.assert_allclose(given, expected, atol=1e-4)


# What does not fit


def test_a_model_with_other_layers_or_shapes_is_refused_and_all_said(cnn):
    twin = tfmot.to_tf_keras(cnn)
    other = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(9, 3, use_bias=False, name="first"),
            layers.Flatten(name="flat"),
            layers.Dense(4, name="last"),
        ]
    )
    said = r"first has .*last is not there.*norm is not in `like`.*head is not in"
    before = other.get_weights()
    with pytest.raises(ValueError, match=said):
        tfmot.from_tf_keras(twin, like=other)
    for value, weight in zip(before, other.weights, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_model_of_the_other_keras_is_refused(cnn):
    with pytest.raises(TypeError, match="which is Keras 2"):
        tfmot.from_tf_keras(cnn, like=cnn)
    with pytest.raises(TypeError, match="must be of type Model"):
        tfmot.to_tf_keras(tfmot.to_tf_keras(cnn))
