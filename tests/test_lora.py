"""LoRA and DoRA: what they compute, what learns, and what is left when they go."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit import _backend, transfer
from perfkit.graph.trails import trails
from perfkit.layers import WeightNormalization
from perfkit.transfer.adapters import _learning
from tests.tuned_models import (
    TOKENS,
    compiled,
    far,
    made,
    outputs,
    text,
    trained,
    values,
)

METHODS = [transfer.LoRA(2, alpha=5, seed=3), transfer.DoRA(2, alpha=5, seed=3)]
EVERYTHING = ["*"]  # embeddings, too


def layers_in(model):
    return list({id(trail[-1]): trail[-1] for trail in trails(model)}.values())


def flags(model):
    own = [w.trainable for layer in layers_in(model) for w in layer.weights]
    return [layer.trainable for layer in layers_in(model)], own


def shaken(model, seed=0):
    """Give adapters values other than zeros."""
    numbers = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.3 * numbers.normal(size=weight.shape))
    return model


def matrix(kernel, units):
    """The kernel as a matrix, written again with NumPy."""
    axes = [axis % kernel.ndim for axis in units]
    rows = [axis for axis in range(kernel.ndim) if axis not in axes]
    count = int(np.prod([kernel.shape[axis] for axis in axes]))
    return np.transpose(kernel, rows + sorted(axes)).reshape(-1, count)


LAYERS = {
    "dense": (layers.Dense(4, activation="tanh"), (3, 5), (-1,)),
    "query": (layers.EinsumDense("abc,cde->abde", (None, 2, 3)), (3, 5), (-2, -1)),
    "output": (layers.EinsumDense("abcd,cde->abe", (None, 6)), (3, 2, 4), (-1,)),
    "experts": (layers.EinsumDense("abc,bcd->abd", (2, 3)), (2, 4), (0, 2)),
    "ellipsis": (layers.EinsumDense("...a,ab->...b", (3, 4)), (3, 5), (-1,)),
    "conv": (layers.Conv2D(4, 3, strides=2), (6, 6, 3), (-1,)),
    "causal": (layers.Conv1D(4, 3, padding="causal"), (6, 3), (-1,)),
    "groups": (layers.Conv1D(4, 3, groups=2), (6, 4), (-1,)),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 6, 3), (-2, -1)),
    "transposed": (layers.Conv2DTranspose(4, 3), (6, 6, 3), (-2,)),
    "table": (layers.Embedding(7, 6), (3,), (0,)),
}


class SumOfAll(layers.EinsumDense):
    """An output without units, for each of which there is no column."""

    def __init__(self):
        super().__init__("abc,bc->a", ())


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


# DoRA has all that LoRA has, but for how it goes through thin matrices.
CASES = [(kind, METHODS[1]) for kind in LAYERS]
CASES += [(kind, METHODS[0]) for kind in ("dense", "query", "table", "conv")]
CASES += [slow(kind, METHODS[0]) for kind in ("output", "experts", "transposed")]


@pytest.mark.parametrize(("kind", "method"), CASES, ids=str)
def test_a_layer_computes_with_the_kernel_of_the_paper(kind, method):
    template, shape, units = LAYERS[kind]
    make = type(template).from_config
    dtype = "int32" if kind == "table" else "float32"
    inputs = keras.Input(shape, dtype=dtype)
    model = keras.Model(inputs, make(template.get_config())(inputs))
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(2, *shape)) if kind != "table" else [[1, 6, 0], [2, 2, 3]]
    x = np.array(x, dtype)
    layer = model.layers[1]
    before = np.array(layer.weights[0], "float64")
    transfer.adapt(model, method, where=EVERYTHING)
    shaken(model)
    a, b, *magnitude = (np.array(w, "float64") for w in model.trainable_weights)
    change = 5 / 2 * a @ b
    kernel = matrix(before, units) + change
    if magnitude:
        kernel *= magnitude[0] / np.linalg.norm(kernel, axis=0)
    got = outputs(model, x)
    plain = make(template.get_config())
    plain.build(np.shape(x))
    rest = [np.array(w) for w in layer.weights[1:] if w.path.endswith("bias")]
    order = [axis % before.ndim for axis in units]
    rows = [axis for axis in range(before.ndim) if axis not in order]
    order = rows + sorted(order)
    shaped = kernel.reshape([before.shape[axis] for axis in order])
    plain.set_weights([np.transpose(shaped, np.argsort(order)), *rest])
    assert far(np.array(plain(x)), got) < 2e-6
    merged = transfer.merge(model).layers[1]
    assert np.abs(np.array(merged.weights[0]) - plain.get_weights()[0]).max() < 1e-5


def test_the_gradient_of_dora_leaves_the_norm_out():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, use_bias=False)])
    transfer.adapt(model, METHODS[1])
    shaken(model)
    kernel = np.array(model.layers[0].kernel)
    a, b, magnitude = values(model.trainable_weights)
    x = np.array([[1.0, -2.0, 0.5]], "float32")
    loss = lambda _, y: keras.ops.sum(y)  # noqa: E731
    model.compile(keras.optimizers.SGD(1.0), loss, jit_compile=True)
    model.train_on_batch(x, np.zeros((1, 2)))
    directed = kernel + 2.5 * a @ b
    norm = np.linalg.norm(directed, axis=0)
    by_kernel = x.T @ (magnitude / norm)[None]
    wanted = [2.5 * by_kernel @ b.T, 2.5 * a.T @ by_kernel, (x @ directed)[0] / norm]
    for old, new, gradient in zip(
        [a, b, magnitude], values(model.trainable_weights), wanted, strict=True
    ):
        np.testing.assert_allclose(old - new, gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("text", METHODS[0]),
        slow("images", METHODS[1]),
        slow("text", METHODS[1]),
        slow("images", METHODS[0]),
        slow("subclassed", METHODS[0]),
    ],
    ids=str,
)
def test_it_begins_as_the_identity_and_ends_as_plain_kernels(name, method):
    model, x = made(name)
    before, first = values(model.weights), outputs(model, x)
    classes, learning = [type(one) for one in layers_in(model)], flags(model)
    transfer.adapt(model, method, where=EVERYTHING)
    if method is METHODS[0]:
        np.testing.assert_array_equal(outputs(model, x), first)
    assert far(first, outputs(model, x)) < 1e-6
    shaken(model)
    tuned = outputs(model, x)
    assert far(tuned, first) > 0.01
    assert transfer.merge(model) is model
    assert far(tuned, outputs(model, x)) < 1e-6
    assert [type(one) for one in layers_in(model)] == classes
    assert flags(model) == learning
    once = values(model.weights)
    transfer.merge(model)
    for old, new in zip(once, values(model.weights), strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(once) == len(before)


@pytest.mark.parametrize("name", ["subclassed", slow("text"), slow("images")])
def test_only_adapters_and_what_train_names_learn_and_unload_gives_back_the_rest(name):
    model, x = made(name)
    head = [weight for weight in model.weights if "head" in weight.path]
    whole = {id(weight) for weight in head}
    base = [weight for weight in model.weights if id(weight) not in whole]
    before, learning = values(base), flags(model)
    transfer.adapt(model, transfer.LoRA(2), where=EVERYTHING, train="head")
    first = values(model.trainable_weights)
    trained(model, x, jit=name != "subclassed")
    for old, new in zip(first, values(model.trainable_weights), strict=True):
        assert np.abs(old - new).max() > 0
    transfer.unload(model)
    for old, weight in zip(before, base, strict=True):
        np.testing.assert_array_equal(old, np.array(weight))
    assert flags(model) == learning
    assert {id(w) for w in model.weights} == {id(w) for w in base} | whole


@pytest.mark.slow
def test_batch_normalization_that_train_names_moves_its_statistics():
    model, x = made("images")
    transfer.adapt(model, transfer.LoRA(2), where="inner", train=["bn", "head"])
    before = values(model.get_layer("bn").weights)
    trained(model, x)
    for old, new in zip(before, values(model.get_layer("bn").weights), strict=True):
        assert np.abs(old - new).max() > 0


def test_a_model_that_was_partly_frozen_gets_its_flags_back():
    model, _ = made("images")
    model.get_layer("inner").trainable = False
    model.get_layer("conv").weights[1].trainable = False
    before = flags(model)
    transfer.adapt(model, transfer.LoRA(2), where="inner", train="head")
    transfer.adapt(model, transfer.DoRA(2), where="conv", train="head")
    assert any("inner" in w.path for w in model.trainable_weights)
    assert transfer.unload(model).trainable
    assert flags(model) == before


@pytest.mark.slow
def test_adapters_learn_the_change_that_they_can_express():
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(256, 8)).astype("float32")
    model = keras.Sequential([keras.Input((8,)), layers.Dense(6, use_bias=False)])
    change = np.outer(numbers.normal(size=8), numbers.normal(size=6))
    target = x @ (np.array(model.layers[0].kernel) + change)
    losses = {}
    for rank in (1, 2):
        other = keras.models.clone_model(model)
        other.set_weights(model.get_weights())
        transfer.adapt(other, transfer.LoRA(rank, seed=0))
        other.compile(keras.optimizers.Adam(0.05), "mse", jit_compile=True)
        many = (np.tile(each, (300, 1)) for each in (x, target))  # an epoch costs more
        other.fit(*many, batch_size=256, shuffle=False, verbose=0)
        losses[rank] = other.evaluate(x, target, verbose=0)
    full = float(np.mean((target - outputs(model, x)) ** 2))
    assert max(losses.values()) < 1e-3 * full


def test_adapters_stay_float32_in_mixed_precision():
    parts = [layers.Embedding(20, 8), layers.Flatten(), layers.Dense(3)]
    for layer in parts:
        layer.dtype_policy = keras.DTypePolicy("mixed_bfloat16")
    x = TOKENS
    model = keras.Sequential([keras.Input((5,), dtype="int32"), *parts])
    first = outputs(model, x)
    transfer.adapt(model, transfer.DoRA(2), where=EVERYTHING)
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert outputs(model, x).dtype.name == "bfloat16"
    assert far(first.astype("float32"), outputs(model, x).astype("float32")) < 0.02
    before = values(model.trainable_weights)
    trained(model, x)
    for old, new in zip(before, values(model.trainable_weights), strict=True):
        assert np.abs(old - new).max() > 0


def test_the_report_counts_and_says_what_was_left_alone():
    model, _ = made("text")
    total = model.count_params()
    transfer.adapt(model, transfer.LoRA(2), where="block", train="head")
    report = transfer.adapt(model, transfer.LoRA(2), where=["block", "table"])
    assert list(report.places) == ["table/embeddings"]
    paths = [weight.path for weight in model.weights]
    assert len(paths) == len(set(paths))
    assert "table/adapter_0/a" in paths
    assert len(report.skipped) == 6
    assert set(report.skipped.values()) == {"has an adapter"}
    assert report.after == _learning.size(model.trainable_weights)
    assert report.total == total + report.after
    assert report.before == report.after - (20 + 8) * 2 + 27
    assert "LoRA(rank=2, alpha=2) at table/embeddings" in str(report)
    assert "has an adapter" in str(report)


def test_a_rank_above_that_of_the_kernel_is_that_of_the_kernel():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(3)])
    transfer.adapt(model, transfer.LoRA(64))
    assert [tuple(w.shape) for w in model.trainable_weights] == [(8, 3), (3, 3)]


def test_kernels_that_others_use_or_replace_are_left_alone():
    parts = [layers.LSTM(5, return_sequences=True), layers.Dense(2, name="dense")]
    parts += [WeightNormalization(layers.Dense(2)), SumOfAll()]
    parts += [layers.Reshape((1,)), layers.Dense(2)]
    model = keras.Sequential([keras.Input((4, 3)), *parts])
    model.layers[-1].enable_lora(1)
    report = transfer.adapt(model, transfer.LoRA(2))
    assert list(report.places) == ["dense/kernel"]
    reasons = " ".join(report.skipped.values())
    for reason in ("recurrent", "normalized", "no matrix", "of Keras"):
        assert reason in reasons


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"where": "nothing*"}, ValueError, "where"),
        ({"train": "nothing*"}, ValueError, "train"),
        ({"train": 3}, TypeError, "train"),
        ({"where": "head", "train": "head"}, ValueError, "learns as a whole"),
        ({"method": "lora"}, TypeError, r"`LoRA\(...\)`"),
    ],
)
def test_wrong_arguments_are_refused_and_change_nothing(arguments, error, words):
    model = text()
    before = flags(model), len(model.weights)
    arguments = {"method": transfer.LoRA(2), **arguments}
    with pytest.raises(error, match=words):
        transfer.adapt(model, **arguments)
    assert (flags(model), len(model.weights)) == before
    with pytest.raises(ValueError, match="built"):
        transfer.adapt(keras.Sequential([layers.Dense(1)]), transfer.LoRA(2))
    with pytest.raises(ValueError, match="rank"):
        transfer.DoRA(0)
    with pytest.raises(ValueError, match="alpha"):
        transfer.LoRA(2, alpha=0)


@keras.saving.register_keras_serializable(package="tests")
class Counted(layers.Layer):
    """A layer of a user, which counts its calls and has a loss of its outputs."""

    def build(self, input_shape):
        self.matrix = self.add_weight(shape=(input_shape[-1], 3), name="matrix")
        self.calls = self.add_weight(initializer="zeros", trainable=False, name="calls")

    def call(self, x):
        self.calls.assign_add(1.0)
        outputs = keras.ops.matmul(x, self.matrix)
        self.add_loss(keras.ops.mean(keras.ops.square(outputs)))
        return outputs


def test_layers_of_ones_own_keep_their_state_and_losses():
    model = keras.Sequential([keras.Input((4,)), Counted(name="own")])
    x = np.ones((2, 4), "float32")
    model.layers[0].calls.assign(0.0)
    transfer.adapt(model, transfer.LoRA(2), where="own")
    shaken(model)
    got = outputs(model, x)
    a, b = values(model.trainable_weights)
    expected = x @ (np.array(model.layers[0].matrix) + a @ b)
    assert far(expected, got) < 1e-6
    assert float(model.layers[0].calls.numpy()) == 1.0
    assert [float(loss) for loss in model.losses] == pytest.approx([np.mean(got**2)])
    loss = float(model.losses[0])
    model.compile(keras.optimizers.SGD(0.01), jit_compile=True)
    model.fit(x, None, batch_size=2, epochs=2, verbose=0)
    assert float(model.layers[0].calls.numpy()) == 3.0
    outputs(model, x)
    assert float(model.losses[0]) < loss


def test_a_graph_of_layers_that_saves_itself_is_still_known_as_a_graph():
    class Backbone(keras.Model):
        def __init__(self, units):
            inputs = keras.Input((4,))
            super().__init__(inputs, layers.Dense(units, name="dense")(inputs))
            self.units = units

        def get_config(self):
            return {"units": self.units}

    keras.saving.register_keras_serializable(package="tests")(Backbone)
    model = keras.Sequential([keras.Input((4,)), Backbone(3), layers.Dense(2)])
    transfer.adapt(shaken(model), transfer.LoRA(2))
    shaken(model)
    x = np.ones((1, 4), "float32")
    clone = keras.models.clone_model(model)
    assert len(clone.trainable_weights) == 4
    clone.set_weights(model.get_weights())
    assert far(outputs(model, x), outputs(clone, x)) < 1e-6
    new, _ = transfer.insert_adapters(model, "*dense")
    assert far(outputs(model, x), outputs(new, x)) < 1e-6


def test_a_model_that_has_predicted_notices_the_merge():
    model, x = made("text")
    transfer.adapt(model, transfer.LoRA(2))
    compiled(model)
    shaken(model)
    first = model.predict(x, verbose=0)
    transfer.merge(model)
    assert far(first, model.predict(x, verbose=0)) < 1e-6


def test_a_layer_is_unlocked_only_for_as_long_as_it_takes():
    layer = layers.Dense(2)
    layer.build((None, 3))
    with _backend.unlocked(layer):
        layer.inner = layers.Dense(1)
    layer.inner.build((None, 3))
    assert len(layer.weights) == 4
    with pytest.raises(ValueError, match="already built"):
        layer.other = layers.Dense(1)
    _backend.take_off(layer, "inner")
    assert len(layer.weights) == 2
    assert not hasattr(layer, "inner")
