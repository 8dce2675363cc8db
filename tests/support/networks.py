"""Networks whose channels, batch normalization and branches are worth a test."""

import functools

import keras
import numpy as np

from perfkit.graph.trails import trails

layers = keras.layers


def seeded(make):
    """The same weights each time; what is drawn later follows from it as well."""

    @functools.wraps(make)
    def made():
        keras.utils.set_random_seed(0)
        return make()

    return made


def every_layer(model):
    """The layers in a model, those inside layers and models too, each once."""
    found = [trail[-1] for trail in trails(model)][1:]
    return list({id(layer): layer for layer in found}.values())


def stirred(model, seed=0):
    """The same model with weights and statistics that are no identity anywhere."""
    rng = np.random.default_rng(seed)
    for variable in model.variables:
        shape = tuple(variable.shape)
        if variable.name in ("gamma", "moving_variance", "alpha", "scale"):
            variable.assign(rng.uniform(0.5, 1.5, shape))
        elif variable.name in ("beta", "moving_mean", "bias"):
            variable.assign(rng.normal(0.0, 0.3, shape))
    return model


@seeded
def plain():
    """A convolution, batch normalization, ReLU and a flattened end."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(16, 3, use_bias=False, name="first"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(24, 3, strides=2, activation="relu", name="second"),
            layers.Flatten(name="flat"),
            layers.Dense(16, activation="relu", name="third"),
            layers.Dense(5, name="last"),
        ],
        name="plain",
    )


@seeded
def residual():
    """Depthwise blocks, one of which is added to what it was given."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="stem")(inputs)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    y = layers.Conv2D(32, 1, use_bias=False, name="expand")(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(y)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.Conv2D(16, 1, use_bias=False, name="project")(y)
    x = layers.Add()([x, layers.BatchNormalization()(y)])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, name="last")(x), name="residual")


@seeded
def joined():
    """Concatenated branches with a batch normalization of their own behind them."""
    inputs = keras.Input((8, 8, 3))
    left = layers.Conv2D(8, 3, padding="same", name="left")(inputs)
    right = layers.Conv2D(16, 1, activation="relu", name="right")(inputs)
    x = layers.Concatenate()([left, right])
    x = layers.ReLU()(layers.BatchNormalization(name="alone")(x))
    more = layers.Conv2D(8, 1, name="more")(x)
    x = layers.Concatenate()([x, more])
    x = layers.AveragePooling2D(2)(x)
    x = layers.Conv2D(16, 1, name="after")(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, name="last")(x), name="joined")


@seeded
def gated():
    """Squeeze and excitation by two convolutions and a reshape."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, activation="relu", name="stem")(inputs)
    gate = layers.GlobalAveragePooling2D()(x)
    gate = layers.Reshape((1, 1, 16))(gate)
    gate = layers.Conv2D(8, 1, activation="relu", name="squeeze")(gate)
    gate = layers.Conv2D(16, 1, activation="sigmoid", name="excite")(gate)
    x = layers.Multiply()([x, gate])
    x = layers.SeparableConv2D(24, 3, name="separable")(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(5, name="last")(x), name="gated")


@seeded
def nested():
    """A model in a model, called twice, and one that is Sequential."""
    given = keras.Input((8, 8, 16))
    body = layers.Conv2D(16, 3, padding="same", name="inner")(given)
    body = layers.BatchNormalization(name="inner_norm")(body)
    block = keras.Model(given, layers.ReLU()(body), name="block")
    tail = keras.Sequential(
        [
            keras.Input((8, 8, 16)),
            layers.DepthwiseConv2D(3, depth_multiplier=2, name="wide"),
            layers.Conv2D(24, 1, activation="relu", name="narrow"),
        ],
        name="tail",
    )
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 1, name="stem")(inputs)
    x = tail(block(block(x)))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(5, name="last")(x), name="nested")


@seeded
def with_operations():
    """Operations of `keras.ops` between layers, a dense layer shared, two outputs."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, name="stem")(inputs)
    x = x * keras.ops.relu(x + 3.0) * 0.25
    x = keras.ops.mean(x, axis=(1, 2))
    shared = layers.Dense(16, activation="tanh", name="shared")
    x = shared(shared(x)) - x
    first = layers.Dense(5, name="first_head")(x)
    second = layers.Dense(3, activation="softmax", name="second_head")(x)
    return keras.Model(inputs, [first, second], name="with_operations")


class Own(keras.Model):
    """A model whose call is its own, so that nobody knows its graph."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(4)

    def call(self, inputs):
        return self.dense(inputs)


ALL = (plain, residual, joined, gated, nested, with_operations)
SINGLE = ALL[:-1]  # of one output, as a file has to be


def images(count=4, seed=1):
    """Inputs of these networks."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, 8, 8, 3)).astype("float32")


def outputs(model, x):
    """What a model returns, as a list of arrays."""
    made = keras.tree.flatten(model(x, training=False))
    return [keras.ops.convert_to_numpy(y) for y in made]


def apart(ours, theirs):
    """The largest difference, relative to the largest value."""
    return max(
        np.abs(x - y).max() / np.abs(y).max() for x, y in zip(ours, theirs, strict=True)
    )


def zeroed(model, reading, cut):
    """The whole model with zeros where channels were cut."""
    dense = keras.models.clone_model(model)
    dense.set_weights(model.get_weights())
    found = {layer.name: layer for layer in every_layer(dense)}
    gone = np.isin(reading.labels.roots(np.arange(len(reading.labels))), cut)
    for use in reading.uses.values():
        for variable in getattr(found.get(use.layer.name), "variables", ()):
            for axis, labels in use.cuts.get(variable.name, {}).items():
                shape = [1] * len(variable.shape)
                shape[axis] = len(labels)
                value = np.array(keras.ops.convert_to_numpy(variable))
                variable.assign(np.where(gone[labels].reshape(shape), 0.0, value))
    return dense
