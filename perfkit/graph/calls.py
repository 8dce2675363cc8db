"""A Functional model as the calls it consists of, and the same with other calls."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras

from perfkit.graph import trainable
from perfkit.graph.functional import functional, is_graph


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """A layer or operation that is called on tensors.

    Attributes:
        operation: The layer, nested model or operation.
        inputs: The symbolic tensors among its arguments.
        outputs: The symbolic tensors that it returns.
        mask: The one of the inputs that is given as `mask`, or None.
        arguments: All that it is called with by position.
        named: All that it is called with by name.
    """

    operation: Any
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    mask: Any = None
    arguments: tuple[Any, ...] = ()
    named: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def taken(self) -> tuple[Any, ...]:
        """What a model that is called takes as its inputs, without masks."""
        return _tensors(self.arguments[0] if self.arguments else self.named["inputs"])


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """The calls of a model, in an order in which they can be made.

    Attributes:
        model: The model that was read, or one nested in it.
        view: The same as a Functional model.
        calls: All of its calls.
        inputs: The symbolic tensors that it takes.
        outputs: The symbolic tensors that it returns.
        nested: Graphs of the models that it calls, by the id of the model.
    """

    model: keras.Model
    view: keras.Model
    calls: tuple[Call, ...]
    inputs: tuple[Any, ...]
    outputs: tuple[Any, ...]
    nested: Mapping[int, "Graph"]

    def consumers(self, call) -> list[Call]:
        """Return the calls that take what this call returns."""
        made = set(map(id, call.outputs))
        return [other for other in self.calls if made & set(map(id, other.inputs))]

    def producers(self) -> dict[int, Call]:
        """Return which call made a tensor, by the tensor's id."""
        return {id(tensor): call for call in self.calls for tensor in call.outputs}

    def upstream(self, tensors) -> list[Call]:
        """Return the calls that these tensors depend on."""
        made, found = self.producers(), {}
        left = list(tensors)
        while left:
            call = made.get(id(left.pop()))
            if call is not None and id(call) not in found:
                found[id(call)] = call
                left.extend(call.inputs)
        return list(found.values())

    def trails(self, above=()) -> Iterator[tuple[tuple[Any, ...], "Graph", Call]]:
        """Yield each call here and in nested models, its graph and the way to it."""
        above = (*above, self.model)
        for call in self.calls:
            if id(call.operation) in self.nested:
                yield from self.nested[id(call.operation)].trails(above)
            else:
                yield (*above, call.operation), self, call


def read(owner: str, model, instead="") -> Graph:
    """Read a Functional or Sequential model and those nested in it.

    Args:
        owner: Name of the caller, for errors.
        model: A built model.
        instead: What else can be done if it is of another kind, for the error.
    """
    return _read(owner, model, {}, instead)


def rewritten(graph: Graph, make: Callable) -> keras.Model:
    """Return a new model with the same layers, in which calls are made by `make`.

    It shares its weights with the model that was read, which stays as it is; the same
    weights are trainable. Nested models are rewritten, too, each once.

    Args:
        graph: What `read` returned.
        make: Function `(call, operation, *arguments, **named) -> outputs`. `call` is
            the call in the graph. To change nothing, it returns
            `operation(*arguments, **named)`.
    """
    before = trainable.flags(graph.model)
    new = _rewritten(graph, make, {})
    trainable.put_back(before)  # a frozen model froze what the two share
    return new


def _read(owner, model, known, instead="") -> Graph:
    view = functional(owner, model, instead)
    calls = []

    def record(operation, *arguments, **named):
        outputs = operation(*arguments, **named)
        tensors = _tensors((arguments, named)), _tensors(outputs)
        mask = named.get("mask")
        mask = mask if isinstance(mask, keras.KerasTensor) else None
        calls.append(Call(operation, *tensors, mask, arguments, named))
        return outputs

    copy = keras.models.clone_model(view, clone_function=_same, call_function=record)
    nested = {}
    for call in calls:
        inner = call.operation
        if is_graph(inner):
            if id(inner) not in known:
                known[id(inner)] = _read(owner, inner, known)
            nested[id(inner)] = known[id(inner)]
    ends = tuple(copy.inputs), tuple(copy.outputs)
    return Graph(model, view, tuple(calls), *ends, nested)


def _rewritten(graph, make, known) -> keras.Model:
    numbers = iter(graph.calls)

    def inside(layer):
        if id(layer) not in graph.nested:
            return layer
        if id(layer) not in known:
            known[id(layer)] = _rewritten(graph.nested[id(layer)], make, known)
        return known[id(layer)]

    def call(operation, *arguments, **named):
        return make(next(numbers), operation, *arguments, **named)

    new = keras.models.clone_model(
        graph.view, clone_function=inside, call_function=call
    )
    if not graph.model.trainable:
        new.trainable = False
    return new


def _same(layer):
    return layer


def _tensors(structure) -> tuple[Any, ...]:
    leaves = keras.tree.flatten(structure)
    return tuple(leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor))
