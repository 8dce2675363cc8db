"""A layer of Keras 3 as the layer of Keras 2 that does the same."""

import inspect
from collections.abc import Callable
from typing import Any, NoReturn

import keras

from perfkit import _check
from perfkit.compress import _tfmot
from perfkit.compress.tfmot import _operations
from perfkit.graph.owners import own_weights
from perfkit.graph.trails import trails

OWNER = "to_tf_keras"
MASKS = "which the two Keras hand on in different ways"

# Layers that compute the same in both, each of which the tests compare.
_NAMES = """
    Activation ActivityRegularization Add AlphaDropout Attention Average
    AveragePooling1D AveragePooling2D AveragePooling3D BatchNormalization Bidirectional
    Concatenate Conv1D Conv1DTranspose Conv2D Conv2DTranspose Conv3D Conv3DTranspose
    Cropping1D Cropping2D Cropping3D Dense DepthwiseConv1D DepthwiseConv2D Dot Dropout
    EinsumDense ELU Embedding Flatten GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
    GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D GroupNormalization GRU
    Identity LayerNormalization LeakyReLU LSTM Maximum MaxPooling1D MaxPooling2D
    MaxPooling3D Minimum MultiHeadAttention Multiply Normalization Permute PReLU ReLU
    RepeatVector Rescaling Reshape Resizing SeparableConv1D SeparableConv2D SimpleRNN
    Softmax SpatialDropout1D SpatialDropout2D SpatialDropout3D Subtract TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D
    ZeroPadding3D
"""
SUPPORTED = frozenset(_NAMES.split())
# Layers that hold others: the argument that takes one, and the attribute that has it.
INNER = {
    "Bidirectional": {"layer": "forward_layer", "backward_layer": "backward_layer"},
    "TimeDistributed": {"layer": "layer"},
}
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
_KINDS = ("activations", "constraints", "initializers", "regularizers")
# Set on the twin afterwards, random in another way anyway, or for speed alone.
_LEFT_OUT = ("trainable", "weights", "seed", "use_cudnn")


def refuse(path: str, operation: Any, reason: str) -> NoReturn:
    """Raise the error of a layer or operation that has no twin."""
    expected = f"made of what Keras 2 has too; not so: {path}, {reason}"
    _check.fail(OWNER, "model", expected, type(operation).__name__)


def twin_of(layer, path: str, convert: Callable[[Any, str], Any]) -> Any:
    """Return the layer of Keras 2, without the weights.

    Args:
        layer: A layer of Keras 3, not a model.
        path: Names from the model down to it, for errors.
        convert: Function of a layer or model inside and its path, to its twin.
    """
    kind = type(layer)
    name = kind.__name__
    if name not in SUPPORTED or kind is not getattr(keras.layers, name, None):
        refuse(path, layer, "a layer that Keras 2 lacks or computes in another way")
    if layer.dtype_policy.name != "float32":
        refuse(path, layer, f"a layer in {layer.dtype_policy.name} and not float32")
    if getattr(layer, "mask_zero", False):
        refuse(path, layer, f"a layer that makes masks, {MASKS}")
    _check_variables(layer, path)
    twin = getattr(_tfmot.tf_keras().layers, name)
    taken = _parameters(twin)
    arguments: dict[str, Any] = {}
    for key, value in _settings(layer).items():
        key = _RENAMED.get((name, key), key)
        if key in INNER.get(name, {}):
            inner = getattr(layer, INNER[name][key])
            arguments[key] = convert(inner, f"{path}/{inner.name}")
        elif key in taken and key not in _LEFT_OUT:
            arguments |= _argument(layer, path, key, value)
        elif key not in _LEFT_OUT and not _is_unused(kind, key, value):
            refuse(path, layer, f"a layer with {key}={value!r}, which Keras 2 lacks")
    return twin(**{**arguments, "dtype": "float32"})


def _settings(layer) -> dict[str, Any]:
    """Return what a layer was made with, also what its configuration lacks.

    In Keras 3.12 that is `output_padding`.
    """
    said = layer.get_config()
    arguments = inspect.signature(type(layer).__init__).parameters
    unsaid = {key: getattr(layer, key) for key in arguments if hasattr(layer, key)}
    return unsaid | said


def _argument(layer, path, key, value) -> dict[str, Any]:
    """Return an argument as Keras 2 takes it; nothing where it is to be the default."""
    kind = f"{key.rpartition('_')[2]}s"
    if value is None or kind not in _KINDS:
        return {key: value}
    if kind == "activations":
        made = _operations.activation(value)
    else:
        made = _object(value, kind)
    if made is None and kind == "initializers":  # values are copied anyway
        return {}
    if made is None:
        given = value.get("class_name") if isinstance(value, dict) else value
        refuse(path, layer, f"a layer with {key}={given!r}, which Keras 2 lacks")
    return {key: made}


def _object(value, kind) -> Any:
    """Return an object of Keras 3, given by its configuration, as one of Keras 2."""
    there = getattr(_tfmot.tf_keras(), kind)
    twin = getattr(there, value.get("class_name", ""), None)
    if value.get("module") != f"keras.{kind}" or twin is None:
        return None
    taken = _parameters(twin)
    return twin(**{k: v for k, v in value["config"].items() if k in taken})


def _parameters(kind) -> set[str]:
    """Return the arguments that a class takes, also those it hands on."""
    # Which all layers, and recurrent ones, take without saying so.
    found = {"name", "dtype", "activity_regularizer", "zero_output_for_mask"}
    for base in kind.__mro__:
        if "__init__" in vars(base):
            found |= set(inspect.signature(base.__init__).parameters)
    return found


def _is_unused(kind, key, value):
    """Whether an argument has its default value."""
    if key == "data_format":
        return value == "channels_last"
    given = inspect.signature(kind.__init__).parameters.get(key)
    return value in (None, False) if given is None else value == given.default


def _check_variables(layer, path):
    """Refuse what was set on variables and not on the layer, which Keras 2 lacks."""
    for *_, owner in trails(layer):
        for kind in ("regularizer", "constraint"):
            known = [v for k, v in vars(owner).items() if k.endswith(f"_{kind}")]
            for weight in own_weights(owner):
                if not any(getattr(weight, kind) is one for one in (None, *known)):
                    reason = f"a layer whose {weight.name} has a {kind} of its own"
                    refuse(path, layer, reason)
