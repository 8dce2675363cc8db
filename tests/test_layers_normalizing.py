"""Layers that normalize or scale."""

import inspect
import pathlib
import re

import keras
import numpy as np
import pytest

from perfkit import layers


def values(*shape):
    return np.random.default_rng(0).normal(3.0, 2.0, shape).astype("float32")


def numpy(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize("shape", [(12, 5), (12, 7, 5), (12, 4, 3, 5)])
@pytest.mark.parametrize("part", [1, 4, 5, 12, 50])
def test_ghost_batches_are_those_of_stock_layers_one_after_the_other(shape, part):
    x = values(*shape)
    ghost = layers.GhostBatchNormalization(part, momentum=0.8)
    stock = keras.layers.BatchNormalization(momentum=0.8)
    for _ in range(2):
        found = numpy(ghost(x, training=True))
        parts = [x[k : k + part] for k in range(0, len(x), part)]
        expected = np.concatenate([numpy(stock(x, training=True)) for x in parts])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-5)
    for ours, theirs in zip(ghost.variables, stock.variables, strict=True):
        np.testing.assert_allclose(numpy(ours), numpy(theirs), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(numpy(ghost(x)), numpy(stock(x)), rtol=1e-5, atol=2e-5)


def test_ghosts_take_channels_first():
    x = values(8, 5, 3, 2)
    first = layers.GhostBatchNormalization(4, axis=1)
    last = layers.GhostBatchNormalization(4)
    found = numpy(first(x, training=True))
    expected = numpy(last(np.moveaxis(x, 1, -1), training=True))
    np.testing.assert_allclose(found, np.moveaxis(expected, -1, 1), atol=1e-6)


def test_inference_does_not_depend_on_the_batch():
    layer = layers.GhostBatchNormalization(4)
    x = values(16, 3)
    layer(x, training=True)
    whole = numpy(layer(x, training=False))
    alone = np.concatenate([numpy(layer(x[k : k + 1])) for k in range(16)])
    np.testing.assert_allclose(alone, whole, atol=1e-6)


def test_a_frozen_ghost_is_in_inference_mode():
    layer = layers.GhostBatchNormalization(4)
    layer.trainable = False
    x = values(16, 3)
    np.testing.assert_allclose(
        numpy(layer(x, training=True)), numpy(layer(x)), atol=1e-7
    )


def test_gradients_of_ghosts_are_those_of_stock_layers():
    """One step of training moves the kernel before them alike."""
    weights = []
    for norm in (
        layers.GhostBatchNormalization(8),
        keras.layers.BatchNormalization(),
    ):
        dense = keras.layers.Dense(4, kernel_initializer=keras.initializers.Constant(1))
        model = keras.Sequential([keras.Input((4,)), dense, norm])
        dense.set_weights([np.eye(4) + 0.1, np.zeros(4)])
        model.compile(keras.optimizers.SGD(0.5), "mse")
        model.fit(values(8, 4), values(8, 4)[::-1], batch_size=8, verbose=0)
        weights.append(dense.get_weights()[0])
    np.testing.assert_allclose(*weights, atol=1e-5)


@pytest.mark.parametrize("argument", ["synchronized", "renorm"])
def test_ghosts_refuse_what_has_no_meaning(argument):
    with pytest.raises(ValueError, match=rf"{argument}=...\)` must be left out"):
        layers.GhostBatchNormalization(4, **{argument: True})
    with pytest.raises(ValueError, match=r"virtual_batch_size=...\)` must be"):
        layers.GhostBatchNormalization(0)


def test_kernels_are_standardized_as_a_batch_norm_of_them():
    """timm normalizes each output channel of the kernel as one channel of a batch."""
    x = values(2, 6, 7, 3)
    ours = layers.StandardizedConv2D(4, 3, padding="same", strides=2, epsilon=1e-5)
    plain = keras.layers.Conv2D(4, 3, padding="same", strides=2)
    found = numpy(ours(x))
    plain(x)
    kernel, bias = ours.get_weights()
    rows = kernel.reshape(-1, 4)
    norm = keras.layers.BatchNormalization(epsilon=1e-5, center=False, scale=False)
    plain.set_weights([numpy(norm(rows, training=True)).reshape(kernel.shape), bias])
    np.testing.assert_allclose(found, numpy(plain(x)), rtol=1e-5, atol=1e-4)
    with pytest.raises(ValueError, match=r"`StandardizedConv2D\(epsilon=...\)` must"):
        layers.StandardizedConv2D(4, 3, epsilon=0)


def test_standardized_kernels_forget_their_scale_and_mean():
    x = values(1, 5, 5, 2)
    layer = layers.StandardizedConv2D(3, 3, use_bias=False)
    before = numpy(layer(x))
    layer.set_weights([7.0 * layer.get_weights()[0] + 2.0])
    np.testing.assert_allclose(numpy(layer(x)), before, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("axis", [-1, 1])
def test_a_scale_is_one_number_for_each_channel(axis):
    x = values(2, 3, 4, 3)
    layer = layers.LayerScale(0.5, axis=axis)
    np.testing.assert_allclose(numpy(layer(x)), 0.5 * x)
    layer.set_weights([np.array([1.0, 2.0, 3.0])])
    factor = np.reshape([1.0, 2.0, 3.0], (1, 3, 1, 1) if axis == 1 else (1, 1, 1, 3))
    np.testing.assert_allclose(numpy(layer(x)), factor * x, rtol=1e-6)
    with pytest.raises(ValueError, match=r"`LayerScale\(initial=...\)` must be"):
        layers.LayerScale(1.5)


KINDS = {
    "ghost": lambda: layers.GhostBatchNormalization(3, momentum=0.9),
    "standardized": lambda: layers.StandardizedConv2D(2, 3, epsilon=1e-4),
    "scale": lambda: layers.LayerScale(0.2),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "jit_compile", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_they_train_within_a_model_and_are_saved(kind, jit_compile, tmp_path):
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), KINDS[kind](), keras.layers.Flatten()]
    )
    model.compile("sgd", "mse", jit_compile=jit_compile)
    x = values(8, 6, 6, 2)
    before = [np.copy(w) for w in model.get_weights()]
    shape = model.output_shape[1]
    model.fit(x, np.zeros((8, shape)), batch_size=4, verbose=0)
    after = zip(model.get_weights(), before, strict=True)
    assert all((new != old).any() for new, old in after)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5
    )
    assert loaded.layers[0].get_config() == model.layers[0].get_config()


@pytest.mark.parametrize("kind", KINDS)
def test_they_keep_to_their_dtype(kind):
    layer = KINDS[kind]()
    layer.dtype_policy = keras.DTypePolicy("mixed_float16")
    outputs = layer(values(4, 6, 6, 2), training=True)
    assert keras.backend.standardize_dtype(outputs.dtype) == "float16"
    assert np.isfinite(numpy(outputs)).all()


def test_the_pages_have_every_layer_in_their_tables():
    docs = pathlib.Path(__file__).parent.parent / "docs"
    pages = ("layers.md", "attention.md", "detection.md")
    text = "".join((docs / page).read_text() for page in pages)
    rows = re.findall(r"^\| (`.+?) \|", text, re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    kinds = inspect.getmembers(layers, inspect.isclass)
    families = {"Dropping", "DropBlock", "FeatureAttention", "GatedFeedForward"}
    families |= {"DetectionHead", "Neck", "Pooling"}
    assert named == {name for name, _ in kinds} - families
