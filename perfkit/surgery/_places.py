"""The places in a model where attention belongs."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

from perfkit.graph import droppers, residuals
from perfkit.graph.calls import Call, Graph
from perfkit.graph.insertion import path_of
from perfkit.surgery import _activations
from perfkit.surgery._attending import attends


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
    """A place for a new layer.

    Attributes:
        path: Path of the layer behind which it lies, or of a sum in front of which.
        graph: The graph that the call is in.
        call: The call beside which it lies.
        tensor: The one of the call's inputs that passes through, or None: then it is
            what the call returns.
        why: Why nothing goes here, or None.
    """

    path: str
    graph: Graph
    call: Call
    tensor: Any = None
    why: str | None = None

    @property
    def features(self) -> Any:
        """What passes through."""
        return self.call.outputs[0] if self.tensor is None else self.tensor


def every(graph: Graph, above=()) -> Iterator[tuple[tuple[Any, ...], Graph, Call]]:
    """Yield calls, of nested models too, with their trails, each once."""
    seen = set()
    for trail, inner, call in _every(graph, above):
        if id(call) not in seen:
            seen.add(id(call))
            yield trail, inner, call


def of_branches(graph: Graph, numbers) -> list[Place]:
    """Return the ends of the residual branches, before what drops samples there."""
    found = []
    for trail, inner, call in every(graph):
        if not residuals.is_sum(call.operation):
            continue
        for tensor in residuals.branches(inner, call, numbers):
            if len(tensor.shape) == 4:
                found.append(_end(path_of(trail), inner, call, tensor))
    return found


def of_stages(graph: Graph, numbers) -> list[Place]:
    """Return what comes last before the places become fewer, or the image ends.

    That is an activation or normalization, a layer with a kernel that has both inside
    it or neither behind, or what brings several tensors together.
    """
    trails = {id(call): trail for trail, _, call in every(graph)}
    found: dict[int, Place] = {}
    for _, inner, call in every(graph):
        for tensor in call.inputs if _ends_a_stage(call) else ():
            _add(found, inner, tensor, trails, numbers)
    for tensor in graph.outputs:
        _add(found, graph, tensor, trails, numbers)
    order = {call: number for number, call in enumerate(trails)}
    return [found[call] for call in sorted(found, key=lambda call: order[call])]


def _every(graph, above):
    above = (*above, graph.model)
    for call in graph.calls:
        inner = graph.nested.get(id(call.operation))
        if inner is not None:
            yield from _every(inner, above)
        if isinstance(call.operation, keras.layers.InputLayer):
            continue
        yield (*above, call.operation), graph, call


def _end(path, graph, call, tensor) -> Place:
    within = residuals.inside(graph, call, tensor)
    named = [one.operation.name for one in within if attends(graph, one)]
    why = f"has attention in its branch, {named[0]}" if named else None
    made = graph.producers()
    last = made[id(tensor)]
    while droppers.drops(last.operation) and len(last.inputs) == 1:
        call, tensor = last, last.inputs[0]
        last = made.get(id(tensor), last)
        if last is call:
            break
    return Place(path, graph, call, tensor, why)


def _ends_a_stage(call) -> bool:
    if not call.inputs or len(call.inputs[0].shape) != 4 or len(call.outputs) != 1:
        return False
    layer = call.operation
    if len(call.outputs[0].shape) != 4:
        return True
    if "Transpose" in type(layer).__name__:
        return False
    # `keras.layers.GlobalAveragePooling2D(keepdims=True)`, too.
    pools = type(layer).__name__.startswith("Global") and "Pool" in type(layer).__name__
    strides: Any = getattr(layer, "strides", None) or (1,)
    several = strides if isinstance(strides, (list, tuple)) else (strides,)
    return pools or max(several) > 1


def _add(found, graph, tensor, trails, numbers):
    call = _before(graph, tensor, numbers)
    if call is None or id(call) in found or len(call.outputs[0].shape) != 4:
        return
    above = graph.upstream(call.outputs)
    if not any(_learns(graph, one, numbers) for one in above):
        return  # what prepares the image
    path = path_of(trails[id(call)])
    why = "has attention" if attends(graph, call) else None
    found[id(call)] = Place(path, graph, call, None, why)


def _learns(graph, call, numbers) -> bool:
    return id(call.operation) in numbers or id(call.operation) in graph.nested


def _before(graph, tensor, numbers) -> Call | None:
    """The last call that does something to features, on the way to a tensor."""
    made = graph.producers()
    while True:
        call = made.get(id(tensor))
        if call is None or not call.inputs:
            return None
        operation = call.operation
        if (
            id(operation) in graph.nested
            or id(operation) in numbers
            or len(call.inputs) > 1
            or _activations.activation_of(operation) is not None
            or _activations.is_normalization(operation)
            or attends(graph, call)
        ):
            return call
        tensor = call.inputs[0]
