"""The activations of a model, whether layers, parts of layers or operations."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from perfkit import _check
from perfkit.graph.rebuilding import like
from perfkit.surgery import _making

_layers = keras.layers
_ALONE = (
    _layers.Activation,
    _layers.ELU,
    _layers.LeakyReLU,
    _layers.PReLU,
    _layers.ReLU,
    _layers.Softmax,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Activation:
    """An activation.

    Attributes:
        name: As `keras.activations` has it, such as `"relu"`, or else that of the
            function or class.
        function: What it does to a tensor.
        alone: Whether the layer or operation does nothing else.
    """

    name: str
    function: Callable[[Any], Any]
    alone: bool


def activation_of(operation) -> Activation | None:
    """Return the activation of a layer or operation; None if it has none."""
    if not isinstance(operation, keras.Layer):
        name = _name_of_operation(operation)
        return Activation(name, operation, True) if name else None
    if isinstance(operation, _ALONE):
        return Activation(_name_of_layer(operation), operation, True)
    if type(operation).__name__ == "ThresholdedLinearUnit":
        return Activation("ThresholdedLinearUnit", operation, True)
    function = getattr(operation, "activation", None)
    if isinstance(operation, _layers.RNN) or not callable(function):
        return None
    if function is keras.activations.linear:
        return None
    if isinstance(function, keras.Layer):
        return Activation(_name_of_layer(function), function, False)
    return Activation(_name_of(function), function, False)


def matches(owner: str, found: Activation, old: Any) -> bool:
    """Whether an activation is the one, or one of those, that are to be replaced.

    Args:
        owner: Name of the caller, for errors.
        found: The activation.
        old: A name, a function, a class of layers, or a list of these.
    """
    if isinstance(old, (list, tuple)):
        return any(matches(owner, found, one) for one in old)
    if isinstance(old, str):
        return found.name == _usual(old)
    if isinstance(old, type):
        return isinstance(found.function, old)
    if not callable(old) or isinstance(old, keras.Layer):
        expected = "the name of an activation, a function, a class of layers or a list"
        _check.fail(owner, "old", expected, old, TypeError)
    inner = getattr(found.function, "activation", None)
    if isinstance(found.function, keras.Layer) and inner is None:
        return found.name == _name_of(old)  # such as a layer `ReLU` for `relu`
    same = old in (found.function, inner)
    return same or (_is_of_keras(old) and found.name == _name_of(old))


def new_activation(owner: str, new: Any) -> Callable | None:
    """Return the function that a name or function stands for; None for a layer's."""
    if _making.makes_layers(new):
        return None
    try:
        function: Any = keras.activations.get(new)
    except (ValueError, TypeError):
        function = None
    if new is None or function is None or isinstance(new, keras.Layer):
        expected = "the name of an activation, a function of a tensor, or a class of "
        expected += "layers"
        _check.fail(owner, "new", expected, new)
    return function


def without(layer) -> Any:
    """Return a new layer like one with an activation inside it, but linear."""
    return like(layer, activation="linear")


def name_of_new(new) -> str:
    """Return a name for what comes in the place of an activation."""
    return type(new).__name__ if isinstance(new, keras.Layer) else _name_of(new)


def _name_of_layer(layer) -> str:
    if isinstance(layer, _layers.Activation):
        return _name_of(layer.activation)
    if type(layer) is _layers.ReLU:
        return _name_of_relu(layer)
    names = {
        _layers.ELU: "elu",
        _layers.LeakyReLU: "leaky_relu",
        _layers.Softmax: "softmax",
    }
    return names.get(type(layer), type(layer).__name__)


def _name_of_operation(operation) -> str | None:
    """The name of an operation of Keras that is an activation."""
    kind = type(operation)
    spelled = {name.replace("_", ""): name for name in dir(keras.activations)}
    name = spelled.get(kind.__name__.lower())
    if name is None or not kind.__module__.startswith("keras."):
        return None
    with_bounds = name == "relu" and hasattr(operation, "max_value")
    return _name_of_relu(operation) if with_bounds else name


def _name_of_relu(relu) -> str:
    plain = not relu.negative_slope and not relu.threshold
    known = {None: "relu", 6.0: "relu6"}
    return known.get(relu.max_value, "ReLU") if plain else "ReLU"


def _name_of(function) -> str:
    if isinstance(function, keras.Layer):
        return _name_of_layer(function)
    return getattr(function, "__name__", type(function).__name__)


def _usual(name) -> str:
    """The one name of an activation that has several, such as `swish`."""
    try:
        return _name_of(keras.activations.get(name))
    except ValueError:
        return name


def _is_of_keras(function) -> bool:
    """Whether it is an activation of Keras, or the operation of the same name."""
    module, name = getattr(function, "__module__", ""), _name_of(function)
    return module.startswith("keras.") and hasattr(keras.activations, name)


def is_normalization(operation) -> bool:
    """Whether it normalizes what a layer makes, rather than the inputs of a model."""
    return isinstance(operation, keras.Layer) and (
        type(operation).__name__.endswith("Normalization")
        and not isinstance(operation, (_layers.Normalization, _layers.Wrapper))
    )
