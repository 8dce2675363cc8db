"""Operations and activations of Keras 3, as functions of TensorFlow."""

import functools
import operator
from typing import Any

from perfkit import _backend
from perfkit.compress import _tfmot

# Those that take tensors and numbers, and nothing else.
_FUNCTIONS = {
    "Absolute": "math.abs",
    "Add": "math.add",
    "Divide": "math.truediv",
    "Equal": "math.equal",
    "Exp": "math.exp",
    "Greater": "math.greater",
    "GreaterEqual": "math.greater_equal",
    "Less": "math.less",
    "LessEqual": "math.less_equal",
    "Log": "math.log",
    "LogicalAnd": "math.logical_and",
    "LogicalNot": "math.logical_not",
    "LogicalOr": "math.logical_or",
    "Maximum": "math.maximum",
    "Minimum": "math.minimum",
    "Multiply": "math.multiply",
    "Negative": "math.negative",
    "NotEqual": "math.not_equal",
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
# Those with settings of their own, and which. Layers make masks of them.
_SETTINGS = {
    "All": ("math.reduce_all", ("axis", "keepdims")),
    "Any": ("math.reduce_any", ("axis", "keepdims")),
    "Concatenate": ("concat", ("axis",)),
    "ExpandDims": ("expand_dims", ("axis",)),
    "Mean": ("math.reduce_mean", ("axis", "keepdims")),
    "Sum": ("math.reduce_sum", ("axis", "keepdims")),
}
_SAME = """
    elu exponential gelu leaky_relu linear log_softmax mish relu relu6 selu sigmoid silu
    softmax softplus softsign tanh
"""
_SAME_ACTIVATIONS = frozenset(_SAME.split())


def function(operation) -> Any:
    """Return the function of TensorFlow for an operation of `keras.ops`, or None."""
    name = type(operation).__name__
    if not type(operation).__module__.startswith("keras."):
        return None
    if name == "GetItem":
        return operator.getitem
    if name in ("HardSigmoid", "HardSilu"):
        return _own_activations()["hard_" + name[4:].lower()]
    path, settings = _SETTINGS.get(name, (_FUNCTIONS.get(name), ()))
    if path is None:
        return None
    given = {key: getattr(operation, key) for key in settings}
    found = operator.attrgetter(path)(_backend.tensorflow())
    return functools.partial(found, **given)


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
