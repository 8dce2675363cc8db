"""Small models for the tests of adapters, and training them."""

import keras
import numpy as np
from keras import layers

NUMBERS = np.random.default_rng(0)
TOKENS = NUMBERS.integers(0, 20, (16, 5))
IMAGES = NUMBERS.normal(size=(16, 6, 6, 3)).astype("float32")
LABELS = NUMBERS.integers(0, 3, 16)


@keras.saving.register_keras_serializable(package="tests")
class Block(layers.Layer):
    """A Transformer block as users write it: no `build`, and no names."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attention = layers.MultiHeadAttention(2, 4)
        self.normalization = layers.LayerNormalization()
        self.parts = [layers.Dense(12, activation="relu"), layers.Dense(8)]

    def call(self, x):
        x = self.normalization(x + self.attention(x, x))
        return x + self.parts[1](self.parts[0](x))


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(20, 8)
        self.block = Block()
        self.head = layers.Dense(3, name="head")

    def call(self, x):
        return self.head(keras.ops.mean(self.block(self.table(x)), axis=1))


@keras.saving.register_keras_serializable(package="tests")
class Projection(layers.Layer):
    """A layer of a user, which multiplies by a matrix of a name of its own."""

    def build(self, input_shape):
        self.matrix = self.add_weight(shape=(input_shape[-1], 6), name="matrix")

    def call(self, x):
        return keras.ops.matmul(x, self.matrix)


def text():
    inputs = keras.Input((5,), dtype="int32")
    x = layers.Embedding(20, 8, name="table")(inputs)
    x = Block(name="block")(x)
    x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


def subclassed():
    model = Subclassed()
    model(TOKENS[:1])
    return model


def images():
    """Nested, with each kind of convolution, batch normalization and dropout."""
    inner = [keras.Input((6, 6, 4)), layers.DepthwiseConv2D(3, depth_multiplier=2)]
    inner += [layers.SeparableConv2D(6, 2, name="separable"), layers.Dropout(0.2)]
    inner += [layers.Conv2DTranspose(5, 2, name="transposed")]
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", name="conv")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    x = keras.Sequential(inner, name="inner")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


def own():
    inputs = keras.Input((6, 6, 3))
    x = Projection(name="own")(layers.Flatten()(inputs))
    return keras.Model(inputs, layers.Dense(3, name="head")(x))


# What makes a model, and inputs for it.
MODELS = {
    "text": (text, TOKENS),
    "subclassed": (subclassed, TOKENS),
    "images": (images, IMAGES),
    "own": (own, IMAGES),
}


def made(name):
    """Make a model of which no weight is zero."""
    make, x = MODELS[name]
    keras.utils.set_random_seed(1)
    model = make()
    numbers = np.random.default_rng(1)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1 * numbers.normal(size=weight.shape))
    return model, x


def compiled(model, jit=False):
    """Compile a model; on JAX with XLA, as without it takes much longer."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    jit = jit or keras.backend.backend() == "jax"
    model.compile(keras.optimizers.Adam(0.05), loss, jit_compile=jit)
    return model


def trained(model, x, jit=False):
    compiled(model, jit)
    model.fit(x, LABELS, batch_size=8, epochs=2, shuffle=False, verbose=0)
    return model


def outputs(model, x):
    return np.array(model(x, training=False))


def values(weights):
    return [np.array(weight) for weight in weights]


def far(outputs, others):
    """The largest difference, relative to the largest output."""
    return np.abs(outputs - others).max() / np.abs(outputs).max()
