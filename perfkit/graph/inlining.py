"""A model made once more, call by call, without nested models."""

from collections.abc import Callable
from typing import Any

import keras

from perfkit import _check
from perfkit.graph.calls import Graph
from perfkit.graph.rebuilding import new_inputs


def inlined(
    graph: Graph, make: Callable, begin: Callable = lambda _, tensor: tensor
) -> keras.Model:
    """Return a Functional model in which nested models are taken apart.

    Args:
        graph: What `calls.read` returned.
        make: Function `(path, call, *arguments, **named) -> outputs` that makes each
            call; `path` is the path of its layer, joined with slashes.
        begin: Function `(old, new)` of an input of the old and of the new model. What
            it returns is given to the calls in place of the new input.
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
