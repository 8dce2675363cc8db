"""Multiply-accumulates: formulas, published figures and what compilers count."""

import keras
import numpy as np
import pytest
from keras import layers

from perfkit.graph.macs import macs


def of(layer, *shapes, **arguments):
    """Multiply-accumulates of a layer called on inputs of these shapes."""
    inputs = [keras.Input(shape) for shape in shapes]
    given = inputs if arguments.pop("apart", False) else [inputs[0]]
    if arguments.pop("listed", False):
        given = [inputs]
    return macs(keras.Model(inputs, layer(*given, **arguments))).total


FORMULAS = {
    "dense": (layers.Dense(5), (3,), 3 * 5),
    "dense along": (layers.Dense(5), (7, 3), 7 * 3 * 5),
    "einsum": (layers.EinsumDense("abc,cde->abde", (None, 2, 5)), (7, 3), 7 * 3 * 10),
    "einsum, any": (layers.EinsumDense("...x,xy->...y", (5,)), (7, 3), 7 * 3 * 5),
    "einsum, both": (
        layers.EinsumDense("abcd,cde->abe", (None, 5)),
        (7, 2, 3),
        7 * 2 * 3 * 5,
    ),
    "conv": (layers.Conv2D(4, 3, 2, padding="same"), (9, 8, 6), 5 * 4 * 9 * 6 * 4),
    "valid": (layers.Conv1D(4, 3), (9, 6), 7 * 3 * 6 * 4),
    "groups": (layers.Conv2D(4, 3, groups=2), (9, 8, 6), 7 * 6 * 9 * 3 * 4),
    "3d": (layers.Conv3D(2, 2), (4, 5, 6, 3), 3 * 4 * 5 * 8 * 3 * 2),
    "depthwise": (layers.DepthwiseConv2D(3, depth_multiplier=2), (5, 5, 4), 9 * 9 * 8),
    "separable": (
        layers.SeparableConv2D(5, 3, depth_multiplier=2),
        (5, 5, 4),
        9 * (9 * 8 + 8 * 5),
    ),
    "transposed": (layers.Conv2DTranspose(5, 4, 2), (3, 3, 2), 9 * 16 * 2 * 5),
    "simple rnn": (layers.SimpleRNN(5), (7, 3), 7 * (3 + 5) * 5),
    "gru": (layers.GRU(5, return_sequences=True), (7, 3), 7 * (3 + 5) * 15),
    "lstm": (layers.LSTM(5), (7, 3), 7 * (3 + 5) * 20),
    "two ways": (layers.Bidirectional(layers.LSTM(5)), (7, 3), 2 * 7 * (3 + 5) * 20),
    "stacked cells": (
        layers.RNN([layers.LSTMCell(5), layers.GRUCell(4)]),
        (7, 3),
        7 * ((3 + 5) * 20 + (5 + 4) * 12),
    ),
    "conv lstm": (
        layers.ConvLSTM2D(2, 3, padding="valid"),
        (4, 6, 6, 3),
        4 * 16 * 9 * (3 + 2) * 8,
    ),
    "each time": (layers.TimeDistributed(layers.Dense(5)), (7, 3), 7 * 3 * 5),
    "normalized": (layers.SpectralNormalization(layers.Dense(5)), (3,), 3 * 5),
    "nothing": (layers.BatchNormalization(), (3,), 0),
    "look-up": (layers.Embedding(10, 4), (7,), 0),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_layer_costs_what_its_formula_says(name):
    layer, shape, expected = FORMULAS[name]
    assert of(layer, shape) == expected


def test_attention_costs_its_projections_and_its_two_products():
    # On JAX, Keras 3.15.1 cannot call attention with values of another size.
    size = 4 if keras.backend.backend() == "jax" else 5
    projections = (6 + 5) * 8 * 12 + (5 + 6) * 8 * 3 * size
    products = 6 * 5 * 3 * (4 + size)
    layer = layers.MultiHeadAttention(3, 4, value_dim=size)
    assert of(layer, (6, 8), (5, 8), apart=True) == projections + products
    along = layers.MultiHeadAttention(3, 4, attention_axes=2)
    query = keras.Input((2, 6, 8))
    model = keras.Model(query, along(query, value=query))
    assert macs(model).total == 12 * (4 * 8 * 12) + 2 * 36 * 3 * 8
    grouped = layers.GroupQueryAttention(4, num_query_heads=6, num_key_value_heads=2)
    projections = 2 * 6 * 8 * 24 + 2 * 5 * 8 * 8
    expected = projections + 6 * 5 * 6 * 8
    assert of(grouped, (6, 8), (5, 8), apart=True) == expected


def test_products_of_inputs_count():
    assert of(layers.Attention(), (6, 8), (5, 8), listed=True) == 6 * 5 * 16
    assert of(layers.Dot(2), (6, 8), (5, 8), listed=True) == 6 * 5 * 8


class Block(layers.Layer):
    """A layer that holds layers and calls one of them twice."""

    def __init__(self):
        super().__init__()
        self.wide, self.norm = layers.Dense(4), layers.LayerNormalization()

    def build(self, shape):
        self.wide.build(shape)
        self.norm.build(shape)
        self.built = True

    def call(self, inputs):
        return self.norm(self.wide(self.wide(inputs)))


class Subclassed(keras.Model):
    """A model with a `call` of its own around a model and a layer."""

    def __init__(self):
        super().__init__()
        inputs = keras.Input((4,))
        self.inner = keras.Model(inputs, layers.Dense(3)(Block()(inputs)))
        self.blocks = [layers.Dense(2)]

    def call(self, inputs, training=None):
        return self.blocks[0](self.inner(inputs) + self.inner(2.0 * inputs))


def test_a_layer_counts_as_often_as_it_is_called_wherever_it_is():
    model = Subclassed()
    model(np.zeros((1, 4), "float32"))
    inner = 2 * 16 + 12
    assert macs(model, np.zeros((1, 4), "float32")).total == 2 * inner + 6
    assert macs(model, keras.KerasTensor((5, 4))).total == 2 * inner + 6
    sequential = keras.Sequential([keras.Input((4,)), Block(), layers.Dense(2)])
    assert macs(sequential).total == 2 * 16 + 8


def test_inputs_may_be_several_and_their_sizes_may_be_given():
    named = {"a": keras.Input((4,), name="a"), "b": keras.Input((4,), name="b")}
    model = keras.Model(named, layers.Dense(2)(named["a"] + named["b"]))
    assert macs(model).total == 8
    anywhere = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(2, 1)])
    with pytest.raises(ValueError, match=r"^`macs\(inputs=...\)` must be given"):
        macs(anywhere)
    assert macs(anywhere, keras.KerasTensor((1, 5, 7, 3))).total == 5 * 7 * 6


class Own(layers.Layer):
    """A layer with a matrix of its own."""

    def build(self, shape):
        self.matrix = self.add_weight(shape=(shape[-1], 3), name="matrix")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.matrix)


def test_layers_of_unknown_kinds_with_matrices_are_named():
    inputs = keras.Input((4,))
    found = macs(keras.Model(inputs, layers.Dense(2)(Own(name="own")(inputs))))
    assert found == (6, ("own",))
    assert macs(keras.Sequential([keras.Input((4,)), Block()])).uncounted == ()


def test_counting_leaves_the_model_as_it_was():
    model = keras.Sequential([keras.Input((4,)), Block(), layers.Dropout(0.5)])
    before = [dict(vars(layer)) for layer in model.layers]
    weights = [w.copy() for w in model.get_weights()]
    macs(model)
    for layer, attributes in zip(model.layers, before, strict=True):
        assert "call" not in vars(layer)
        assert set(vars(layer)) == set(attributes)
    for old, new in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def counted_by_the_compiler(model, x):
    """Floating-point operations, from XLA or from TensorFlow's profiler."""
    if keras.backend.backend() == "jax":
        import jax

        lowered = jax.jit(lambda x: model(x, training=False)).lower(x)
        return lowered.cost_analysis()["flops"]
    import tensorflow as tf

    function = tf.function(lambda x: model(x, training=False), autograph=False)
    graph = function.get_concrete_function(tf.TensorSpec(x.shape, x.dtype)).graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph, options=options).total_float_ops


def test_compilers_count_twice_as_many_operations_and_a_few_more():
    inputs = keras.Input((20, 20, 3))
    x = layers.Conv2D(16, 3, 2, activation="relu")(inputs)
    x = layers.DepthwiseConv2D(3)(x)
    x = layers.Conv2D(32, 1, use_bias=False)(x)
    x = layers.Reshape((49, 32))(x)
    x = layers.Dense(24)(x)
    x = layers.GlobalAveragePooling1D()(x)
    model = keras.Model(inputs, layers.Dense(10)(x))
    found = counted_by_the_compiler(model, np.zeros((1, 20, 20, 3), "float32"))
    count = macs(model).total
    assert count == 81 * 27 * 16 + 49 * (9 * 16 + 16 * 32 + 32 * 24) + 240
    assert 2 * count <= found <= 1.1 * 2 * count


# Multiply-adds as the papers give them, in millions: MobileNet, arXiv 1704.04861,
# tables 6 and 7; EfficientNet, arXiv 1905.11946, table 2; ResNet, arXiv 1512.03385,
# table 1, of the variant that strides in its 3x3 convolutions a little more.
PUBLISHED = {
    "MobileNet": ({}, 569, 0.001),
    "MobileNet, quarter": ({"alpha": 0.25}, 41, 0.02),
    "MobileNet, small": ({"input_shape": (160, 160, 3)}, 290, 0.01),
    "MobileNetV2": ({}, 300, 0.01),
    "ResNet50": ({}, 3800, 0.02),
    "EfficientNetB0": ({}, 390, 0.02),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_known_networks_cost_what_their_papers_say(name):
    arguments, millions, tolerance = PUBLISHED[name]
    kind = getattr(keras.applications, name.split(",")[0])
    found = macs(kind(weights=None, **arguments))
    assert found.total == pytest.approx(1e6 * millions, rel=tolerance)
    assert found.uncounted == ()
