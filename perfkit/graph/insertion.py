"""Putting layers into a model, behind others or in front of them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from perfkit.graph.calls import Call, Graph, rewritten


@dataclasses.dataclass(frozen=True, eq=False)
class Insertion:
    """A layer and where it goes.

    Attributes:
        layer: The new layer, of one tensor.
        call: The call beside which it goes.
        tensor: The one of the call's `inputs` that passes through the layer before the
            call, or `None`: then it is what the call returns.
    """

    layer: keras.Layer
    call: Call
    tensor: Any = None


def inserted(graph: Graph, insertions: Sequence[Insertion]) -> keras.Model:
    """Return a new model with the same layers, and others between them."""
    behind = {id(one.call): one.layer for one in insertions if one.tensor is None}
    before: dict[int, dict[int, keras.Layer]] = {}
    for one in insertions:
        if one.tensor is not None:
            positions = [k for k, x in enumerate(one.call.inputs) if x is one.tensor]
            before.setdefault(id(one.call), {})[positions[0]] = one.layer

    def make(call, operation, *arguments, **named):
        layers, number, given = before.get(id(call), {}), 0, (arguments, named)
        leaves = keras.tree.flatten(given)
        for k, leaf in enumerate(leaves):
            if isinstance(leaf, keras.KerasTensor):
                leaves[k] = _put(layers[number], leaf) if number in layers else leaf
                number += 1
        arguments, named = keras.tree.pack_sequence_as(given, leaves)
        outputs = operation(*arguments, **named)
        layer = behind.get(id(call))
        return _put(layer, outputs) if layer else outputs

    return rewritten(graph, make)


def _put(layer, tensor):
    try:
        return layer(tensor)
    except Exception as error:
        raise ValueError(
            f"The new layer `{layer.name}`, {type(layer).__name__}, cannot be put on a "
            f"tensor of shape {tuple(tensor.shape)}: {error}"
        ) from error
