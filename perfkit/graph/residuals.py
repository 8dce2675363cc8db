"""Residual sums, and their branches."""

from collections.abc import Mapping
from typing import Any

from perfkit.graph.calls import Call, Graph


def is_sum(operation) -> bool:
    """Whether it is `keras.layers.Add`, or `+`, which is not public in Keras."""
    return type(operation).__name__ == "Add"


def branches(graph: Graph, call: Call, numbers: Mapping[int, Any]) -> list[Any]:
    """Return the inputs of a sum that are the residual ones, or none.

    Args:
        graph: The graph that the sum is in.
        call: The sum.
        numbers: What `kernels.numbers` returned for the model.
    """
    if len({id(tensor) for tensor in call.inputs}) < 2:
        return []
    above = [graph.upstream([tensor]) for tensor in call.inputs]
    shared = set.intersection(*({id(one) for one in calls} for calls in above))
    own = [
        sum(_kernels(graph, one, numbers) for one in calls if id(one) not in shared)
        for calls in above
    ]
    identity = [
        k
        for k, tensor in enumerate(call.inputs)
        if all(
            k == other or any(tensor is x for one in calls for x in one.inputs)
            for other, calls in enumerate(above)
        )
    ] or [k for k, count in enumerate(own) if count == min(own)]
    if len(identity) != 1:
        return []
    others = [k for k in range(len(own)) if k != identity[0]]
    return [call.inputs[k] for k in others] if all(own[k] for k in others) else []


def inside(graph: Graph, call: Call, tensor: Any) -> list[Call]:
    """Return the calls that one input of a sum depends on, and no other one does."""
    rest = [other for other in call.inputs if other is not tensor]
    apart = {id(one) for one in graph.upstream(rest)}
    return [one for one in graph.upstream([tensor]) if id(one) not in apart]


def _kernels(graph, call, numbers) -> int:
    nested = graph.nested.get(id(call.operation))
    if nested is None:
        return int(id(call.operation) in numbers)
    return sum(_kernels(inner, one, numbers) for _, inner, one in nested.trails())
