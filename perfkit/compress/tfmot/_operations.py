"""Operations and activations of Keras 3, in Keras 2.

They are layers where Keras 2 has one, since tfmot takes few functions of TensorFlow.
"""

import functools
import operator
from numbers import Real
from typing import Any

import numpy as np

from perfkit import _backend
from perfkit.compress import _tfmot

# Those that take tensors and numbers, and nothing else.
_FUNCTIONS = {
    "Absolute": "math.abs",
    "Add": "math.add",
    "Divide": "math.truediv",
    "Exp": "math.exp",
    "Log": "math.log",
    "Maximum": "math.maximum",
    "Minimum": "math.minimum",
    "Multiply": "math.multiply",
    "Negative": "math.negative",
    "Power": "math.pow",
    "Rsqrt": "math.rsqrt",
    "Sqrt": "math.sqrt",
    "Square": "math.square",
    "Subtract": "math.subtract",
    "TrueDivide": "math.truediv",
}
# Those with settings of their own, and which.
_SETTINGS = {
    "Concatenate": ("concat", ("axis",)),
    "ExpandDims": ("expand_dims", ("axis",)),
    "Mean": ("math.reduce_mean", ("axis", "keepdims")),
    "Sum": ("math.reduce_sum", ("axis", "keepdims")),
}
_ACTIVATIONS = {
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Tanh": "tanh",
}
_MERGES = ("Add", "Maximum", "Minimum", "Multiply", "Subtract")
_SAME = """
    elu exponential gelu leaky_relu linear log_softmax mish relu relu6 selu sigmoid silu
    softmax softplus softsign tanh
"""
_SAME_ACTIVATIONS = frozenset(_SAME.split())


def function(operation) -> Any:
    """Return the layer or function for an operation of `keras.ops`, or None."""
    name = type(operation).__name__
    if not type(operation).__module__.startswith("keras."):
        return None
    if name == "GetItem":
        return operator.getitem
    if name in _ACTIVATIONS:
        layer = _tfmot.tf_keras().layers.Activation
        return layer(activation(_ACTIVATIONS[name]), name=operation.name)
    path, settings = _SETTINGS.get(name, (_FUNCTIONS.get(name), ()))
    if path is None:
        return None
    given = {key: getattr(operation, key) for key in settings}
    found = functools.partial(operator.attrgetter(path)(_backend.tensorflow()), **given)
    if name in _MERGES:
        return functools.partial(_merged, operation, found)
    return found


def _merged(operation, otherwise, first, second) -> Any:
    """Call a layer on two tensors, or a tensor and a number, and else a function."""
    layers, name = _tfmot.tf_keras().layers, type(operation).__name__
    one, other = (not isinstance(x, (Real, np.ndarray)) for x in (first, second))
    if one and other and _are_alike(first, second):
        return getattr(layers, name)(name=operation.name)([first, second])
    tensor, number = (first, second) if one else (second, first)
    if not isinstance(number, Real) or tensor.dtype.name != "float32":
        return otherwise(first, second)
    scale, offset = {
        "Add": (1.0, number),
        "Multiply": (number, 0.0),
        "Subtract": (1.0, -number) if one else (-1.0, number),
    }.get(name, (None, None))
    if scale is None:
        return otherwise(first, second)
    return layers.Rescaling(float(scale), float(offset), name=operation.name)(tensor)


def _are_alike(first, second):
    """Whether Keras 2 merges tensors as NumPy does: it aligns ranks on the left."""
    same_rank = len(first.shape) == len(second.shape)
    return same_rank and first.shape[0] == second.shape[0]


def activation(name) -> str | None:
    """Return the name in Keras 2 of an activation of Keras 3, or None.

    Args:
        name: What the configuration of a layer says: not always a name.
    """
    if not isinstance(name, str):
        return None
    if name in _own_activations():
        return f"perfkit>{name}"
    return name if name in _SAME_ACTIVATIONS else None


@functools.cache
def _own_activations():
    """Those that Keras 2 lacks, or computes in another way, by their names.

    They are registered, since tfmot makes layers anew from their configurations.
    """
    tf = _backend.tensorflow()
    register = _tfmot.tf_keras().saving.register_keras_serializable

    @register("perfkit")
    def hard_sigmoid(x):
        return tf.nn.relu6(x + 3.0) / 6.0

    @register("perfkit")
    def hard_silu(x):
        return x * hard_sigmoid(x)

    return {"hard_sigmoid": hard_sigmoid, "hard_silu": hard_silu}
