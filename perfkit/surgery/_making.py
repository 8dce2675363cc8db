"""New layers, made by what the user gives."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import keras

from perfkit import _check
from perfkit.graph.calls import Call, Graph


def makes_layers(make: Any) -> bool:
    """Whether it is a class of layers, or one with some arguments given."""
    while isinstance(make, functools.partial):
        make = make.func
    return isinstance(make, type) and issubclass(make, keras.Layer)


def takes(make: Any, name: str) -> bool:
    """Whether a class or function has an argument that was not given to it yet."""
    while isinstance(make, functools.partial):
        if name in make.keywords:
            return False
        make = make.func
    if not isinstance(make, type):
        return name in inspect.signature(make).parameters
    for kind in make.__mro__:
        if "__init__" not in vars(kind):
            continue
        there = inspect.signature(kind.__init__).parameters
        if name in there:
            return True
        if not any(each.kind is each.VAR_KEYWORD for each in there.values()):
            break
    return False


def made(
    owner: str, argument: str, make: Any, offered: Mapping[str, Any], *given: Any
) -> Any:
    """Return a new layer.

    Args:
        owner: Name of the caller, for errors.
        argument: Name of its argument, for errors.
        make: A class of layers, or a function that makes one.
        offered: Arguments, which are given if it takes them and has none yet.
        *given: Arguments that it has to take.
    """
    if isinstance(make, keras.Layer) or not callable(make):
        expected = "what makes a new layer, such as a layer's class"
        _check.fail(owner, argument, expected, make, TypeError)
    dtype = offered.get("dtype")
    new = make(*given, **{name: x for name, x in offered.items() if takes(make, name)})
    if not isinstance(new, keras.Layer):
        expected = f"what makes a new layer, where it made {new!r}"
        _check.fail(owner, argument, expected, make, TypeError)
    if dtype is not None and not takes(make, "dtype") and not makes_layers(make):
        new.dtype_policy = dtype
    return new


def specs(layer) -> list[Any]:
    """Return what a layer says of the tensors that it takes."""
    found = keras.tree.flatten(layer.input_spec)
    return [spec for spec in found if spec is not None]


def data_format(graph: Graph, call: Call) -> str:
    """Return where the nearest layer that knows it, on the way here, has channels."""
    for layer in _upwards(graph, call):
        form = getattr(layer, "data_format", None)
        if form in ("channels_first", "channels_last"):
            return form
    return keras.config.image_data_format()


def policy(graph: Graph, call: Call, tensor: Any) -> Any:
    """Return the dtype policy of the nearest layer that makes what the tensor is."""
    for layer in _upwards(graph, call):
        ours = getattr(layer, "dtype_policy", None)
        if type(ours) is keras.DTypePolicy and ours.compute_dtype == tensor.dtype:
            return keras.DTypePolicy(ours.name)
    return keras.DTypePolicy(tensor.dtype)


def _upwards(graph, call):
    """Operations, from that of a call on to those that it depends on."""
    made, seen, left = graph.producers(), set(), [call]
    while left:
        one = left.pop(0)
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        nested = graph.nested.get(id(one.operation))
        if nested is None:
            yield one.operation
        else:
            yield from (trail[-1] for trail, _, _ in reversed([*nested.trails()]))
        left.extend(made.get(id(tensor)) for tensor in one.inputs)
