"""Ways from a model down to the calls of its layers, in nested models too."""

from collections.abc import Iterator
from typing import Any

from perfkit import _check
from perfkit.graph.calls import Call, Graph

Way = tuple[tuple[Graph, Call], ...]  # at each level the graph, and the call in it


def way_to(owner: str, name: str, graph: Graph, layer: Any) -> Way:
    """Return the way to the one call of a layer.

    Args:
        owner: Name of the caller, for errors.
        name: Name of its argument, for errors.
        graph: A model.
        layer: The layer, a nested model too, or its name, or its path from the model
            down, such as `"backbone/conv"`.

    Raises:
        ValueError: If there is no such layer, or more than one, or it is called more
            than once.
    """
    every = list(_ways(graph))
    hits = [way for way in every if path_of(way) == layer] or [
        way for way in every if layer in (way[-1][1].operation, _name(way))
    ]
    if len(hits) != 1:
        expected = "a layer of the model that is called once, or its name or path"
        there = hits or every
        expected += f", where there are {[path_of(way) for way in there[:20]]}"
        expected += " and others" * (len(there) > 20)
        _check.fail(owner, name, expected, layer)
    return hits[0]


def path_of(way: Way) -> str:
    """Return the names on a way, joined with a slash."""
    return "/".join(call.operation.name for _, call in way)


def _name(way):
    return way[-1][1].operation.name


def _ways(graph, above=()) -> Iterator[Way]:
    for call in graph.calls:
        way = (*above, (graph, call))
        yield way
        inner = graph.nested.get(id(call.operation))
        if inner is not None:
            yield from _ways(inner, way)
