"""A model that is read, and made anew with changes."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from perfkit import _check
from perfkit.graph import calls, insertion, kernels
from perfkit.graph.altered import refuse_altered
from perfkit.graph.calls import Call, Graph
from perfkit.graph.insertion import Insertion
from perfkit.graph.naming import reserve_names
from perfkit.graph.rebuilding import copy_values, like, one_tensor, rebuilt
from perfkit.surgery.changed import Change, Changed

Fill = Callable[[Sequence[Any], Any], None]


class Operating:
    """Changes to a model, which are made all at once.

    Args:
        owner: Name of the caller, for errors.
        model: A built Functional or Sequential model.
    """

    def __init__(self, owner: str, model):
        self.owner = owner
        self.graph = calls.read(owner, model, insertion.BY_HAND)
        refuse_altered(owner, self.graph)
        self.numbers = kernels.numbers(model)
        self.skipped: dict[str, str] = {}
        self._steps: dict[int, list[Any]] = {}
        self._fills: dict[int, Fill] = {}
        self._operations: dict[int, Any] = {}
        self._insertions: list[Insertion] = []
        self._names: dict[int, set[str]] = {}
        self._reports: list[Callable[[], Change]] = []

    def replace(self, layer, steps: Sequence[Any], fill: Fill) -> None:
        """Have layers, one after the other, take the place of a layer, in all calls.

        Args:
            layer: The layer.
            steps: New layers, which are not built.
            fill: Function `(steps, layer)` that sets the weights of the new ones.
        """
        self._steps[id(layer)] = list(steps)
        self._fills[id(layer)] = fill

    def replace_operation(self, call: Call, layer) -> None:
        """Have a new layer take the place of what is not a layer, in one call."""
        self._operations[id(call)] = layer

    def insert(self, layer, call: Call, tensor: Any = None, *, resizes=False) -> None:
        """Put a new layer behind a call, or in front of it: see `Insertion`."""
        if any(layer is one.layer for one in self._insertions):
            expected = "what makes a new layer each time"
            _check.fail(self.owner, "layer", expected, layer)
        self._insertions.append(Insertion(layer, call, tensor, resizes))

    def report(self, make: Callable[[], Change]) -> None:
        """Note what makes a `Change` once the new model is there."""
        self._reports.append(make)

    def name(self, graph: Graph, wanted: str) -> str:
        """Return a name that nothing in a graph has, and reserve it."""
        taken = self._names.setdefault(
            id(graph), {call.operation.name for call in graph.calls}
        )
        name, number = wanted, 0
        while name in taken:
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name)
        return name

    def finish(self, argument: str, given: Any) -> tuple[keras.Model, Changed]:
        """Make the new model, and the report.

        Args:
            argument: What to name if there is nothing to change.
            given: Its value.
        """
        if not self._reports:
            why = "; ".join(f"{path}: {why}" for path, why in self.skipped.items())
            expected = f"a choice of other places than these ({why})"
            _check.fail(self.owner, argument, expected, given)
        reserve_names(self.graph)
        put = insertion.with_them(self._insertions)

        def make_call(_, call, operation, *arguments, **named):
            new = self._operations.get(id(call))
            if new is not None:
                return new(one_tensor(arguments, named))
            return put(call, operation, *arguments, **named)

        def fill(new, old):
            self._fills.get(id(old), copy_values)(new, old)

        flat = self._insertions or self._operations
        model = rebuilt(
            self.graph,
            lambda layer: self._steps.get(id(layer)) or like(layer),
            fill,
            make_call=make_call if flat else None,
        )
        report = tuple(make() for make in self._reports)
        return model, Changed(report, dict(self.skipped))


def beside(path: str, name: str) -> str:
    """Return the path of a layer of this name beside the one of a path."""
    return "/".join([*path.split("/")[:-1], name])


def parameters(layers: Sequence[Any]) -> int:
    """How many parameters layers have together."""
    return sum(layer.count_params() for layer in layers)
