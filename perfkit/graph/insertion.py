"""Putting layers into a model, behind others or in front of them."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import keras

from perfkit import _check
from perfkit.graph import selection
from perfkit.graph.calls import Call, Graph, rewritten
from perfkit.graph.trails import names

# What can be done with a model of a class of its own.
BY_HAND = ", or write the layer into its `call`"


@dataclasses.dataclass(frozen=True, eq=False)
class Insertion:
    """A layer and where it goes.

    Attributes:
        layer: The new layer, of one tensor.
        call: The call beside which it goes.
        tensor: The one of the call's `inputs` that passes through the layer before the
            call, or `None`: then it is what the call returns.
        resizes: Whether it may return another shape than it takes.
    """

    layer: keras.Layer
    call: Call
    tensor: Any = None
    resizes: bool = False


def path_of(trail) -> str:
    """Return the names on the way to a call's layer, joined with slashes."""
    return "/".join(names(trail))


def chosen(owner: str, graph: Graph, where, selects: Callable, kind: str) -> list:
    """Return the selected calls, each once, with their trails and graphs.

    Args:
        owner: Whose argument `where` is, for the error.
        graph: The model.
        where: The argument.
        selects: A function of a choice, or None for all, and a trail.
        kind: What there is to choose from, for the error.
    """
    selection.check(owner, where)
    trails = list(graph.trails())
    for choice in selection.needed(where):
        if not any(selects(choice, trail) for trail, _, _ in trails):
            paths = [path_of(trail) for trail, _, _ in trails if selects(None, trail)]
            there = ", ".join(paths) or "none in this model"
            expected = f"a choice from {kind}: {there}"
            _check.fail(owner, "where", expected, choice)
    found: dict[int, tuple] = {}
    for trail, inner, call in trails:
        if selects(where, trail):
            found.setdefault(id(call), (trail, inner, call))
    return list(found.values())


def inserted(graph: Graph, insertions: Sequence[Insertion]) -> keras.Model:
    """Return a new model with the same layers, and others between them."""
    return rewritten(graph, with_them(insertions))


def with_them(insertions: Sequence[Insertion]) -> Callable:
    """Return what makes a call with layers behind it or in front of it.

    Returns:
        Function `(call, operation, *arguments, **named) -> outputs`.
    """
    behind = {id(one.call): one for one in insertions if one.tensor is None}
    before: dict[int, dict[int, Insertion]] = {}
    for one in insertions:
        if one.tensor is not None:
            positions = [k for k, x in enumerate(one.call.inputs) if x is one.tensor]
            before.setdefault(id(one.call), {})[positions[0]] = one

    def make(call, operation, *arguments, **named):
        there, number, given = before.get(id(call), {}), 0, (arguments, named)
        leaves = keras.tree.flatten(given)
        for k, leaf in enumerate(leaves):
            if isinstance(leaf, keras.KerasTensor):
                leaves[k] = _put(there[number], leaf) if number in there else leaf
                number += 1
        arguments, named = keras.tree.pack_sequence_as(given, leaves)
        outputs = operation(*arguments, **named)
        one = behind.get(id(call))
        if one:  # a nested model may return a list of one tensor
            return keras.tree.map_structure(lambda x: _put(one, x), outputs)
        return outputs

    return make


def _put(insertion, tensor):
    layer = insertion.layer
    try:
        outputs = layer(tensor)
    except Exception as error:
        raise ValueError(
            f"The new layer `{layer.name}`, {type(layer).__name__}, cannot be put on a "
            f"tensor of shape {tuple(tensor.shape)}: {error}"
        ) from error
    if not insertion.resizes and tuple(outputs.shape) != tuple(tensor.shape):
        raise ValueError(
            f"The new layer `{layer.name}`, {type(layer).__name__}, must be one that "
            f"returns the shape that it takes, {tuple(tensor.shape)}. Received: "
            f"{tuple(outputs.shape)}"
        )
    return outputs
