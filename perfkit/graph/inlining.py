"""A model whose calls are made once more, those of nested models too."""

from collections.abc import Callable
from typing import Any

import keras

from perfkit import _check
from perfkit.graph.calls import Graph
from perfkit.graph.rebuilding import new_inputs


def inlined(
    graph: Graph, make: Callable, begin: Callable = lambda _, tensor: tensor
) -> keras.Model:
    """Return a Functional model without models in it.

    Args:
        graph: What `calls.read` returned.
        make: Function `(path, call, *arguments, **named) -> outputs` that makes each
            call; `path` leads to its layer, joined with slashes.
        begin: Function of an input of the model that was read and of that of the new
            one: what the calls take in its place.
    """
    inputs = new_inputs(graph)
    given = [begin(old, new) for old, new in zip(graph.inputs, inputs, strict=True)]
    outputs = _replayed(graph, given, make, ())
    ends = [
        keras.tree.pack_sequence_as(structure, tensors)
        for structure, tensors in (
            (graph.view.input, inputs),
            (graph.view.output, outputs),
        )
    ]
    return keras.Model(*ends, name=graph.model.name)


def _replayed(graph, inputs, make, above) -> list[Any]:
    values = {id(old): new for old, new in zip(graph.inputs, inputs, strict=True)}

    def now(value):
        return values[id(value)] if isinstance(value, keras.KerasTensor) else value

    for call in graph.calls:
        given = (call.arguments, dict(call.named))
        new: Any = keras.tree.map_structure(now, given)
        arguments, named = new
        inner = graph.nested.get(id(call.operation))
        path = (*above, call.operation.name)
        if inner is None:
            outputs = make("/".join(path), call, *arguments, **named)
        else:
            if len(call.inputs) > len(call.taken):
                expected = "left out where the calls in a model are made one by one"
                _check.fail("/".join(path), "mask", expected, call.named.get("mask"))
            tensors = [values[id(tensor)] for tensor in call.taken]
            outputs = _replayed(inner, tensors, make, path)
        outputs = keras.tree.flatten(outputs)
        values.update(
            (id(o), new) for o, new in zip(call.outputs, outputs, strict=True)
        )
    return [values[id(tensor)] for tensor in graph.outputs]
