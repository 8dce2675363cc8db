"""Models, data and comparisons of the checks."""

import keras
import numpy as np

from perfkit import optimizers

_RNG = np.random.default_rng(3)
INPUTS = _RNG.normal(size=(48, 3)).astype("float32")
TARGETS = np.sin(INPUTS.sum(axis=1, keepdims=True)).astype("float32")
EAGER = {"run_eagerly": True}
# Op by op JAX would compile each operation for each shape by itself.
CHEAP = EAGER if keras.backend.backend() == "tensorflow" else {"jit_compile": True}


def compiled(default=None):
    """Mark a check that takes seconds: by default it is for typical cases only.

    On the backend `default` it is for all of them.
    """

    def note(check):
        check.compiled = keras.backend.backend() != default
        return check

    return note


def numpy(variables):
    return [np.array(keras.ops.convert_to_numpy(v.value)) for v in variables]


def model_with(optimizer, **options):
    """A small model, the same each time."""
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, activation="tanh", name="encoder"),
            keras.layers.Dense(1, name="head"),
        ]
    )
    model.set_weights(_start())
    model.compile(optimizer, "mse", **options)
    return attached(model)


def attached(model):
    """A model whose optimizer knows it, where it asks for that."""
    if hasattr(model.optimizer, "around"):
        optimizers.attach(model)
    return model


def _start():
    rng = np.random.default_rng(4)
    shapes = [(3, 4), (4,), (4, 1), (1,)]
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def train(model, steps, first=0, **options):
    """Go through batches of 4, one an update, from the batch with number `first`."""
    part = slice(first * 4, (first + steps) * 4)
    model.fit(
        INPUTS[part], TARGETS[part], batch_size=4, shuffle=False, verbose=0, **options
    )
    return model


def state(model):
    """Weights of a model and all that its optimizer keeps."""
    return numpy(model.weights) + numpy(model.optimizer.variables)


def fresh_variables():
    """Variables as of a layer, each time the same."""
    rng = np.random.default_rng(5)
    kernel = rng.normal(size=(3, 2)).astype("float32")
    bias = rng.normal(size=(2,)).astype("float32")
    return [
        keras.Variable(kernel, name="kernel"),
        keras.Variable(bias, name="bias"),
    ]


def some_gradients(count):
    rng = np.random.default_rng(6)
    return [
        [
            rng.normal(size=(3, 2)).astype("float32"),
            rng.normal(size=(2,)).astype("float32"),
        ]
        for _ in range(count)
    ]


def stepped(case, optimizer, all_gradients, between=None):
    """Values of `fresh_variables` after a step for each list of gradients.

    After as many steps, with small gradients, as the optimizer leaves weights alone.
    """
    variables = fresh_variables()
    silent = case.silent * (optimizer.gradient_accumulation_steps or 1)
    small = [[0.01 + 0.0 * g for g in all_gradients[0]]] * silent
    for number, gradients in enumerate([*small, *all_gradients]):
        if between is not None:
            between(number - silent, optimizer)
        tensors = [keras.ops.convert_to_tensor(g) for g in gradients]
        optimizer.apply(tensors, variables)
    return numpy(variables)


def same(ours, theirs):
    pairs = zip(ours, theirs, strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def close(ours, theirs, atol=1e-5):
    pairs = zip(ours, theirs, strict=True)
    return all(np.allclose(x, y, rtol=1e-5, atol=atol) for x, y in pairs)
