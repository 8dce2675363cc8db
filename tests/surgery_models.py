"""Small models for the tests of surgery, and what of them is to stay."""

import keras
import numpy as np
from keras import layers

from tests.layer_conformance.common import numpy

IMAGES = np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 1])


def network(data_format="channels_last", name="network"):
    """Two stages, the first with a residual sum; statistics and biases that tell."""
    first = data_format == "channels_first"
    form, axis = {"data_format": data_format}, 1 if first else -1
    image = keras.Input((3, 12, 12) if first else (12, 12, 3), name="image")
    stem = layers.Conv2D(4, 3, 2, padding="same", use_bias=False, name="stem", **form)
    x = layers.BatchNormalization(axis, name="stem_norm")(stem(image))
    x = layers.ReLU(name="stem_relu")(x)
    more = {"padding": "same", "activation": "relu", **form}
    branch = layers.Conv2D(4, 3, name="branch", **more)(x)
    branch = layers.BatchNormalization(axis, name="branch_norm")(branch)
    x = layers.Add(name="sum")([x, branch])
    x = layers.Conv2D(8, 3, 2, name="down", **more)(x)
    x = layers.GlobalAveragePooling2D(name="pool", **form)(x)
    outputs = layers.Dense(3, activation="softmax", name="head")(x)
    return moved(keras.Model(image, outputs, name=name))


def nested():
    """The network as one layer of another one."""
    image = keras.Input((12, 12, 3))
    outputs = layers.Dense(3, name="last")(network(name="inner")(image))
    return keras.Model(image, outputs, name="outer")


def sequential():
    """The network as one layer of a row of layers."""
    inner = network(name="inner")
    parts = [keras.Input((12, 12, 3)), layers.Rescaling(2.0, name="scale"), inner]
    return keras.Sequential([*parts, layers.Dense(3, name="last")], name="row")


def shared():
    """The network called twice, by a model that adds what both calls return."""
    image, inner = keras.Input((12, 12, 3)), network(name="inner")
    turned = layers.Lambda(lambda x: keras.ops.flip(x, axis=1), name="turned")(image)
    return keras.Model(
        image, layers.Average(name="both")([inner(image), inner(turned)])
    )


def mixed():
    """The network in float16, as far as Keras has it so."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        return network()
    finally:
        keras.config.set_dtype_policy(before)


def moved(model):
    """The same model with weights and statistics that are not where they begin."""
    rng = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name == "moving_variance":
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        elif len(weight.shape) == 1:
            weight.assign(rng.normal(0.5, 0.4, weight.shape))
        else:
            weight.assign(rng.normal(0.0, 0.3, weight.shape))
    return model


def leaves(model, above=""):
    """Layers that are no models, by their path."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= leaves(layer, f"{above}{layer.name}/")
        elif not isinstance(layer, layers.InputLayer):
            found[above + layer.name] = layer
    return found


def values(model):
    """The weights of all layers, by path and place."""
    return {
        (path, number): numpy(weight)
        for path, layer in leaves(model).items()
        for number, weight in enumerate(layer.weights)
    }


def assert_same_values(found, wanted):
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value, err_msg=str(key))


def part(model, *names):
    """A model that returns what layers of a model return."""
    outputs = [model.get_layer(name).output for name in names]
    return keras.Model(model.input, outputs if len(outputs) > 1 else outputs[0])


def trained(model):
    """The model after twelve steps of training, in a program."""
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.SGD(0.3), loss, jit_compile=True)
    model.fit(IMAGES, LABELS, batch_size=4, epochs=12, verbose=0)
    return model
