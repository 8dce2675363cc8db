"""Small teachers and students, and the states of models."""

import keras
import numpy as np

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4)).astype("float32")
Y = RNG.integers(0, 3, 20)
# Tracing a step takes TensorFlow seconds, which a few steps are not worth.
STEPS = {"run_eagerly": keras.backend.backend() == "tensorflow"}
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(width=4, seed=1, end=None, dropout=0.0):
    """Dense layers named "first" and "last", batch normalization and dropout."""
    start = keras.initializers.GlorotUniform(seed)
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(width, kernel_initializer=start, name="first"),
            keras.layers.BatchNormalization(momentum=0.5),
            keras.layers.ReLU(),
            keras.layers.Dropout(dropout, seed=seed),
            keras.layers.Dense(3, end, kernel_initializer=start, name="last"),
        ]
    )


def nested(width=4, seed=1):
    """A network inside another one, whose layer is at "backbone/inner/deep"."""
    start = keras.initializers.GlorotUniform(seed)
    x = keras.Input((4,))
    deep = keras.layers.Dense(width, kernel_initializer=start, name="deep")
    inner = keras.Model(x, keras.ops.tanh(deep(x)), name="inner")
    backbone = keras.Sequential([keras.Input((4,)), inner], name="backbone")
    inputs = keras.Input((4,))
    head = keras.layers.Dense(3, kernel_initializer=start)
    return keras.Model(inputs, head(backbone(inputs)))


def values(model):
    """Copies of all variables of a model."""
    return [np.array(keras.ops.convert_to_numpy(v)) for v in model.variables]


def same(first, second):
    """Whether all values are equal, bit for bit."""
    return all(np.array_equal(x, y) for x, y in zip(first, second, strict=True))


def fit(model, optimizer=None, epochs=2, **compiling):
    """Train in order, by batches of 5."""
    optimizer = optimizer or keras.optimizers.SGD(0.1, momentum=0.9)
    model.compile(optimizer, LOSS, **{**STEPS, **compiling})
    options = {"batch_size": 5, "epochs": epochs, "shuffle": False, "verbose": 0}
    return model.fit(X, Y, **options).history


def softmax(logits, temperature=1.0):
    powers = np.exp(np.asarray(logits, "float64") / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def divergence(teacher, student, temperature=1.0):
    """Hinton's loss of logits: mean divergence, times the temperature squared."""
    p, q = softmax(teacher, temperature), softmax(student, temperature)
    return temperature**2 * np.mean(np.sum(p * np.log(p / q), axis=-1))
