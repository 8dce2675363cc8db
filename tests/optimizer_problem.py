"""A problem of several variables, its exact gradients, and an optimizer on it."""

import keras
import numpy as np

_RNG = np.random.default_rng(0)
_M = _RNG.normal(size=(6, 6))
CURVATURE = _M @ _M.T / 6 + np.eye(6)
START = [
    _RNG.normal(size=(6, 6)).astype("float32"),  # a matrix
    _RNG.normal(size=(3, 3, 2, 4)).astype("float32"),  # a convolution's kernel
    _RNG.normal(size=(4,)).astype("float32"),  # a bias
]
_TARGET = _RNG.normal(size=(3, 3, 2, 4))


def gradients(weights):
    """Gradients of a quadratic bowl, of a flat valley and of a saturating loss."""
    matrix, kernel, bias = (np.asarray(w, "float64") for w in weights)
    tanh = np.tanh(bias)
    return [
        (CURVATURE @ matrix + 0.1).astype(weights[0].dtype),
        (0.3 * (kernel - _TARGET) ** 3 + 0.02 * kernel).astype(weights[1].dtype),
        (2 * tanh * (1 - tanh**2)).astype(weights[2].dtype),
    ]


def variables_of(start):
    names = ("matrix", "kernel", "bias")
    pairs = zip(start, names, strict=True)
    return [keras.Variable(w, name=name) for w, name in pairs]


def run(optimizer, steps, start=START, variables=None):
    """Weights after some steps of a Keras optimizer."""
    variables = variables or variables_of(start)
    numpy = keras.ops.convert_to_numpy
    for _ in range(steps):
        values = gradients([numpy(v.value) for v in variables])
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in values], variables)
    return [numpy(v.value) for v in variables]


def distance(ours, theirs):
    """Largest difference of two lists of weights."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.abs(x - y).max()) for x, y in pairs)
