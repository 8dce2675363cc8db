"""Operations and activations of Keras 3, as functions of TensorFlow."""

import functools
import operator
from typing import Any

from perfkit import _backend
from perfkit.compress import _tfmot

# Those that have tensors and numbers for arguments, and nothing else.
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
    "Relu": "nn.relu",
    "Relu6": "nn.relu6",
    "Rsqrt": "math.rsqrt",
    "Sigmoid": "math.sigmoid",
    "Silu": "nn.silu",
    "Softplus": "math.softplus",
    "Sqrt": "math.sqrt",
    "Square": "math.square",
    "Subtract": "math.subtract",
    "Tanh": "math.tanh",
    "TrueDivide": "math.truediv",
}
_SAME_ACTIVATIONS = frozenset(
    "elu exponential gelu leaky_relu linear log_softmax mish relu relu6 selu sigmoid "
    "silu softmax softplus softsign tanh".split()
)


def function(operation) -> Any:
    """Return the function of TensorFlow for an operation of `keras.ops`, or None."""
    kind = type(operation)
    if not kind.__module__.startswith("keras."):
        return None
    if kind.__name__ == "GetItem":
        return operator.getitem
    if kind.__name__ in ("HardSigmoid", "HardSilu"):
        return _own_activations()["hard_" + kind.__name__[4:].lower()]
    if kind.__name__ in _FUNCTIONS:
        return operator.attrgetter(_FUNCTIONS[kind.__name__])(_backend.tensorflow())
    return None


def activation(name) -> str | None:
    """Return the name in Keras 2 of an activation of Keras 3, or None."""
    if name in _SAME_ACTIVATIONS:
        return name
    if isinstance(name, str) and name in _own_activations():
        return f"perfkit>{name}"
    return None


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
