"""The outputs of layers inside a model, also of nested ones."""

import keras

from perfkit import _check
from perfkit.graph.calls import read, rewritten
from perfkit.graph.ways import way_to


def exposed(owner: str, name: str, model, paths) -> keras.Model:
    """Return a model of the same layers that also returns the outputs of some of them.

    Args:
        owner: Name of the caller, for errors.
        name: Name of the argument that holds the paths, for errors.
        model: A built Functional or Sequential model.
        paths: For each of these layers its name, or its path from the model on, such
            as `"backbone/conv"`.

    Returns:
        A model whose outputs are those of `model` and a list, of one tensor a path.

    Raises:
        ValueError: If a path names no layer or more than one, or a layer that is called
            more than once or makes more than one tensor.
    """
    graph = read(owner, model)
    ways = {
        path: [call for _, call in way_to(owner, name, graph, path)] for path in paths
    }
    made = {}

    def make(call, operation, *arguments, **named):
        inside = [path for path, way in ways.items() if call in way[:-1]]
        if inside:
            ends = operation.output, [made[path] for path in inside]
            wide = keras.Model(operation.input, ends, name=operation.name)
            outputs, features = wide(*arguments, **named)
            made.update(zip(inside, features, strict=True))
        else:
            outputs = operation(*arguments, **named)
        made.update((path, outputs) for path, way in ways.items() if way[-1] is call)
        return outputs

    copy = rewritten(graph, make)
    for path in paths:
        if not isinstance(made[path], keras.KerasTensor):
            _check.fail(owner, name, "a layer that makes one tensor", path)
    return keras.Model(copy.input, (copy.output, [made[path] for path in paths]))
