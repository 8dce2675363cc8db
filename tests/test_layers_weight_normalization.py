"""Kernels as a length times a direction, against the definition in NumPy."""

import keras
import numpy as np
import pytest
from keras import layers as stock

from perfkit.layers import WeightNormalization

# The layer, its inputs, and the axes of its kernel that one unit sums over.
KINDS = {
    "Dense": (lambda: stock.Dense(3), (5,), (0,)),
    "Dense of steps": (lambda: stock.Dense(3), (4, 5), (0,)),
    "EinsumDense": (
        lambda: stock.EinsumDense("abc,cde->abde", (4, 2, 3)),
        (4, 5),
        (0,),
    ),
    "EinsumDense of heads": (
        lambda: stock.EinsumDense("anc,ncd->and", (2, 3)),
        (2, 5),
        (1,),
    ),
    "EinsumDense that joins": (
        lambda: stock.EinsumDense("anc,ncd->ad", 3),
        (2, 5),
        (0, 1),
    ),
    "Conv1D": (lambda: stock.Conv1D(3, 2), (6, 4), (0, 1)),
    "Conv2D": (lambda: stock.Conv2D(4, 3, groups=2), (6, 5, 4), (0, 1, 2)),
    "Conv3D": (lambda: stock.Conv3D(3, 2), (3, 4, 3, 2), (0, 1, 2, 3)),
    "DepthwiseConv1D": (
        lambda: stock.DepthwiseConv1D(2, depth_multiplier=3),
        (6, 4),
        (0,),
    ),
    "DepthwiseConv2D": (
        lambda: stock.DepthwiseConv2D(3, depth_multiplier=2),
        (6, 5, 4),
        (0, 1),
    ),
    "Conv1DTranspose": (lambda: stock.Conv1DTranspose(3, 2), (5, 4), (0, 2)),
    "Conv2DTranspose": (lambda: stock.Conv2DTranspose(3, 2), (5, 5, 4), (0, 1, 3)),
    "Conv3DTranspose": (
        lambda: stock.Conv3DTranspose(3, 2),
        (3, 3, 3, 2),
        (0, 1, 2, 4),
    ),
}
EVERY = pytest.mark.parametrize("kind", KINDS)


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def product(g, v, axes):
    """torch's definition: `g v / |v|`, the norm over all but the unit's axes."""
    norms = np.sqrt(np.sum(v.astype("float64") ** 2, axis=axes, keepdims=True))
    return g.reshape(norms.shape) * v / norms


@EVERY
def test_wrapping_a_layer_changes_nothing_and_trains_length_and_direction(kind):
    make, shape, _ = KINDS[kind]
    x, layer = values(2, *shape), make()
    before = numpy(layer(x))
    wrapper = WeightNormalization(layer)
    np.testing.assert_allclose(numpy(wrapper(x)), before, rtol=1e-5, atol=1e-5)
    names = {weight.name for weight in wrapper.trainable_weights}
    assert names - {"bias"} == {"g", "kernel"}
    assert not wrapper.non_trainable_weights
    assert sum(weight is layer.kernel for weight in wrapper.weights) == 1


@EVERY
def test_the_layer_multiplies_by_length_times_direction(kind):
    make, shape, axes = KINDS[kind]
    x, wrapper, plain = values(2, *shape), WeightNormalization(make()), make()
    wrapper(x)
    g = values(*wrapper.g.shape, seed=1)
    wrapper.g.assign(g)
    wrapper.layer.kernel.assign(3.0 * wrapper.layer.kernel)
    expected = product(g, numpy(wrapper.layer.kernel), axes)
    np.testing.assert_allclose(numpy(wrapper.kernel), expected, rtol=1e-5, atol=1e-6)
    plain(x)
    plain.kernel.assign(expected)
    np.testing.assert_allclose(numpy(wrapper(x)), numpy(plain(x)), rtol=1e-4, atol=1e-4)


def stepped(layer, x, y):
    """Weights before and after one step of plain descent at the rate 1."""
    model = keras.Sequential([keras.Input(x.shape[1:]), layer, stock.Flatten()])
    model.compile(keras.optimizers.SGD(1.0), "mse", jit_compile=True)
    before = [np.copy(numpy(weight)) for weight in layer.weights]
    model.fit(x, y, batch_size=len(x), verbose=0)
    return before, [numpy(weight) for weight in layer.weights]


@pytest.mark.parametrize("kind", ["Dense", "DepthwiseConv2D", "Conv2DTranspose"])
def test_gradients_of_length_and_direction_are_those_of_the_paper(kind):
    make, shape, axes = KINDS[kind]
    x, plain = values(4, *shape), make()
    y = values(4, int(np.prod(plain(x).shape[1:])), seed=2)
    kernel, bias = plain.get_weights()
    (before, _), (after, bias_after) = stepped(plain, x, y)
    gradient = before - after
    wrapper = WeightNormalization(make())
    wrapper(x)
    v = 2.0 * kernel
    norms = np.sqrt((v**2).sum(axis=axes, keepdims=True))
    g = norms / 2.0
    wrapper.layer.kernel.assign(v)
    wrapper.layer.bias.assign(bias)
    wrapper.g.assign(g.reshape(wrapper.g.shape))
    stepped(wrapper, x, y)
    of_g = (gradient * v / norms).sum(axis=axes, keepdims=True)
    of_v = g / norms * gradient - g * of_g / norms**2 * v
    found = numpy(wrapper.g), numpy(wrapper.layer.kernel), numpy(wrapper.layer.bias)
    expected = (g - of_g).reshape(found[0].shape), v - of_v, bias_after
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "jit_compile", [True, pytest.param(False, marks=pytest.mark.slow)]
)
def test_a_layer_that_fit_builds_begins_with_the_length_of_its_kernel(
    jit_compile, tmp_path
):
    """A variable that begins as another one is what TensorFlow cannot lift."""
    model = keras.Sequential(
        [WeightNormalization(stock.Dense(4)), WeightNormalization(stock.Dense(2))]
    )
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=jit_compile)
    x, y = values(8, 3), values(8, 2)
    model.fit(x, y, verbose=0)
    for wrapper in model.layers:
        norms = np.linalg.norm(numpy(wrapper.layer.kernel), axis=0)
        np.testing.assert_allclose(numpy(wrapper.g), norms, rtol=1e-5)
    model.optimizer.learning_rate = 0.1
    model.fit(x, y, verbose=0)
    first = model.layers[0]
    assert (numpy(first.g) != np.linalg.norm(numpy(first.layer.kernel), axis=0)).any()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6
    )
    assert loaded.layers[0].layer.units == 4


def test_the_kernel_goes_to_a_layer_without_the_wrapper():
    x, wrapper, plain = (
        values(2, 5),
        WeightNormalization(stock.Dense(3)),
        stock.Dense(3),
    )
    wrapper(x)
    wrapper.g.assign([1.0, 2.0, 3.0])
    plain(x)
    plain.set_weights([numpy(wrapper.kernel), numpy(wrapper.layer.bias)])
    np.testing.assert_allclose(numpy(plain(x)), numpy(wrapper(x)), rtol=1e-5, atol=1e-6)


class Counting(stock.Dense):
    def build(self, shape):
        self.count = self.add_weight(shape=(), trainable=False, name="count")
        super().build(shape)

    def call(self, inputs):
        self.count.assign_add(1.0)
        return super().call(inputs)


def test_state_and_losses_of_the_layer_are_kept():
    layer = Counting(3, activity_regularizer=keras.regularizers.L2(0.5))
    x, losses = values(8, 5), []
    for each in (layer, WeightNormalization(layer)):
        model = keras.Sequential([keras.Input((5,)), each])
        model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=True)
        outputs = model.predict(x, verbose=0)
        layer.count.assign(0.0)
        losses += model.fit(x, outputs, batch_size=4, verbose=0).history["loss"]
        assert float(layer.count) == 2.0
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    assert losses[0] > 0.1


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_it_keeps_to_the_dtype_of_the_layer(dtype):
    inner = stock.Dense(3, dtype=dtype)
    wrapper = WeightNormalization(inner, dtype=dtype)
    x = values(4, 5)
    outputs = wrapper(x)
    assert keras.backend.standardize_dtype(outputs.dtype) == dtype[len("mixed_") :]
    assert wrapper.g.dtype == inner.kernel.dtype == "float32"
    inner.kernel.assign(inner.kernel * 1e-3)  # whose squares float16 does not hold
    small, outputs = (numpy(y).astype("float32") for y in (wrapper(x), outputs))
    np.testing.assert_allclose(small, outputs, rtol=0.02, atol=0.02)


def test_a_unit_of_zeros_stays_finite():
    wrapper = WeightNormalization(stock.Dense(3, kernel_initializer="zeros"))
    (_, after) = stepped(wrapper, values(4, 5), values(4, 3))
    assert all(np.isfinite(weight).all() for weight in after)


def test_masks_pass():
    x = np.concatenate([values(2, 2, 5), np.zeros((2, 2, 5), "float32")], axis=1)
    dense = WeightNormalization(stock.Dense(3))
    model = keras.Sequential([keras.Input((4, 5)), stock.Masking(), dense])
    model.compile(loss="mse")
    wanted = model.predict(x, verbose=0)
    wanted[:, 2:] += 7.0  # where nothing counts
    assert model.evaluate(x, wanted, verbose=0) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("layer", [stock.LSTM(2), stock.Embedding(3, 2), "dense"])
def test_other_layers_are_refused(layer):
    with pytest.raises(TypeError, match=r"`WeightNormalization\(layer=...\)` must be"):
        WeightNormalization(layer)


@pytest.mark.parametrize("how", ["lora", "int8"])
def test_kernels_that_are_no_plain_variable_are_refused(how):
    layer, x = stock.Dense(3), values(2, 5)
    layer(x)
    layer.enable_lora(2) if how == "lora" else layer.quantize("int8")
    with pytest.raises(ValueError, match="without LoRA and quantization"):
        WeightNormalization(layer)(x)
