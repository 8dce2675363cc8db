"""Which channels of a model can be taken out, and which only together.

Each channel gets a label in the layer that makes it. Labels are passed on from layer to
layer, and tied where two tensors are added. So it is known for each weight which of its
slices belong to which channel, through sums and concatenations. (Fang et al., DepGraph,
2023, arXiv 2301.12900, have a graph of dependencies between layers for this.)
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from perfkit.graph.activations import activation_mixes
from perfkit.graph.calls import Graph, read
from perfkit.graph.channel_rules.rule_of import rule_of
from perfkit.graph.labels import Labelled, Labels

TAKEN, RETURNED = "the model takes them", "the model returns them"


@dataclasses.dataclass(frozen=True, eq=False)
class Use:
    """What a layer has to do with channels.

    Attributes:
        trail: The first way to it, from the model down.
        layer: The layer or operation.
        cuts: By the name of a weight, then by the number of an axis: the labels of the
            channels along that axis.
        config: Arguments of the layer that are numbers of channels, with the labels in
            place of the number.
        made: Labels of the channels that the layer makes, or None.
        taken: Name of the weight, and which of its axes, that the layer multiplies the
            channels that it takes by to sum them up; or None.
    """

    trail: tuple[Any, ...]
    layer: Any
    cuts: Mapping[str, Mapping[int, np.ndarray]]
    config: Mapping[str, Any]
    made: np.ndarray | None
    taken: tuple[str, int] | None

    @property
    def path(self) -> str:
        """Its path from the model down."""
        return "/".join(step.name for step in self.trail[1:])


class Reading:
    """The channels of a model.

    Attributes:
        graph: The model.
        labels: The labels of channels, and what they are tied to.
        uses: What layers have to do with channels, by the id of the layer.
        inputs: Where channels lie in the inputs of nested models, and their labels,
            by the id of the input.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.labels = Labels()
        self.uses: dict[int, Use] = {}
        self.inputs: dict[int, Labelled] = {}
        self._of: dict[int, Labelled | None] = {}
        self._above: tuple[Any, ...] = (graph.model,)
        for tensor in graph.inputs:
            size = tensor.shape[-1] if len(tensor.shape) > 1 else None
            if size is not None:
                labels = self.labels.new(size)
                self.labels.lock(labels, TAKEN)
                self._of[id(tensor)] = Labelled(len(tensor.shape) - 1, labels)
        self._walk(graph)
        for tensor in graph.outputs:
            place = self._of.get(id(tensor))
            if place is not None:
                self.labels.lock(place.labels, RETURNED)

    def path_of(self, call) -> str:
        """Return the path of a call that is being read."""
        return "/".join(step.name for step in (*self._above[1:], call.operation))

    def on(self, call, number, given, axis) -> np.ndarray:
        """Return the labels on an axis of an input; new, locked ones if unknown."""
        place = given[number]
        if place is not None and place.axis == axis:
            return place.labels
        self.lock_given(call, place, why="it takes them along another axis")
        return self.locked(call, call.inputs[number].shape[axis])

    def made(self, call, count) -> np.ndarray:
        """Return labels for channels that a layer makes, the same at every call."""
        use = self.uses.get(id(call.operation))
        labels: Any = self.labels.new(count) if use is None else use.made
        if activation_mixes(call.operation):
            self.lock(call, labels, why="its activation looks at all of them")
        return labels

    def use(self, call, cuts, config=None, made=None, taken=None) -> None:
        """Note along which axes of a layer's weights channels lie; see `Use`."""
        layer, before = call.operation, self.uses.get(id(call.operation))
        own = {weight.name for weight in getattr(layer, "weights", ())}
        cuts = {name: axes for name, axes in cuts.items() if name in own}
        config = config or {}
        if before is None:
            trail = (*self._above, layer)
            self.uses[id(layer)] = Use(trail, layer, cuts, config, made, taken)
            return
        for name, axes in cuts.items():
            for axis, labels in axes.items():
                self.labels.tie(before.cuts[name][axis], labels)
        for name, value in config.items():
            pairs = zip(_parts(before.config[name]), _parts(value), strict=True)
            for left, right in pairs:
                if isinstance(left, np.ndarray):
                    self.labels.tie(left, right)

    def lock(self, call, *labels, why) -> None:
        """Note that channels have to stay because of a call."""
        for some in labels:
            self.labels.lock(some, f"{self.path_of(call)}: {why}")

    def lock_given(self, call, place, why) -> None:
        """Note that all channels of an input have to stay."""
        if place is not None:
            self.lock(call, place.labels, why=why)

    def locked(self, call, count) -> np.ndarray:
        """Return new labels for channels that stay."""
        labels = self.labels.new(count)
        self.lock(call, labels, why="it takes them along another axis")
        return labels

    def kept(self, call, why) -> list[Labelled | None]:
        """Return outputs whose channels all stay."""
        places: list[Labelled | None] = []
        for tensor in call.outputs:
            size = tensor.shape[-1] if len(tensor.shape) > 1 else None
            labels = self.labels.new(size or 0)
            self.lock(call, labels, why=why)
            places.append(Labelled(len(tensor.shape) - 1, labels) if size else None)
        return places

    def unknown(self, call, given, why=None) -> list[Labelled | None]:
        """Lock what goes into and comes out of a call of which no rule is known."""
        kind = type(call.operation).__name__
        why = why or f"what {kind} does to channels here is not known"
        for place in given:
            self.lock_given(call, place, why=why)
        return self.kept(call, why=why)

    def groups(self) -> "list[Group]":
        """Return the groups of layers whose channels are tied, in the model's order."""
        reasons = self.labels.reasons()
        makers = [use for use in self.uses.values() if use.made is not None]
        roots = [self.labels.roots(use.made) for use in makers]
        first: dict[int, int] = {}  # which maker had the channel first
        joined = Labels()
        numbers = joined.new(len(makers))
        for k, of_maker in enumerate(roots):
            for root in np.unique(of_maker):
                other = first.setdefault(int(root), k)
                joined.tie(numbers[[k]], numbers[[other]])
        found: dict[int, list[int]] = {}
        for k, root in enumerate(joined.roots(numbers)):
            found.setdefault(int(root), []).append(k)
        groups = []
        for members in found.values():
            channels = np.unique(np.concatenate([roots[k] for k in members]))
            locked = [int(root) in reasons for root in channels]
            why = dict.fromkeys(w for r in channels[locked] for w in reasons[int(r)])
            uses, made = zip(*[(makers[k], roots[k]) for k in members], strict=True)
            free = ~np.array(locked, bool)
            groups.append(Group(uses, channels, made, free, tuple(why)))
        return groups

    def _walk(self, graph) -> None:
        for call in graph.calls:
            given = [self._of.get(id(tensor)) for tensor in call.inputs]
            inner = graph.nested.get(id(call.operation))
            if inner is not None:
                places = self._nested(call, inner, given)
            elif isinstance(call.operation, keras.layers.InputLayer):
                continue
            else:
                places = rule_of(call.operation)(self, call, given)
                if not all(map(_fits, call.outputs, places)):
                    places = self.unknown(call, [*given, *places])
            for tensor, place in zip(call.outputs, places, strict=True):
                self._of[id(tensor)] = place

    def _nested(self, call, inner, given):
        for tensor, taken in zip(inner.inputs, call.taken, strict=True):
            place = self._of.get(id(taken))
            if place is None:
                continue
            before = self.inputs.setdefault(id(tensor), place)
            self.labels.tie(before.labels, place.labels)
            self._of[id(tensor)] = before
        for place in given[len(call.taken) :]:
            self.lock_given(call, place, why="it is a mask")
        outer, self._above = self._above, (*self._above, call.operation)
        self._walk(inner)
        self._above = outer
        return [self._of.get(id(tensor)) for tensor in inner.outputs]


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Layers that make channels which are tied to each other.

    Attributes:
        makers: The layers, in the order of the model.
        channels: The channels that can be told apart, as roots of their labels.
        made: Which of them each layer makes.
        free: Which of these may be taken out.
        reasons: Why others have to stay.
    """

    makers: tuple[Use, ...]
    channels: np.ndarray
    made: tuple[np.ndarray, ...]
    free: np.ndarray
    reasons: tuple[str, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the layers."""
        return tuple(use.path for use in self.makers)

    @property
    def parts(self) -> list[np.ndarray]:
        """Places of the channels, those that the same layers make in one array."""
        makes = np.stack([np.isin(self.channels, made) for made in self.made], axis=1)
        _, part = np.unique(makes, axis=0, return_inverse=True)
        return [np.flatnonzero(part.ravel() == k) for k in range(part.max() + 1)]

    @property
    def is_bound(self) -> bool:
        """Whether channels have to stay because the model takes or returns them."""
        return TAKEN in self.reasons or RETURNED in self.reasons


def read_channels(owner: str, model) -> Reading:
    """Read the channels of a Functional or Sequential model and those nested in it."""
    return Reading(read(owner, model))


def _fits(tensor, place) -> bool:
    """Whether there are as many labels as there is room on their axis."""
    if place is None:
        return True
    size = tensor.shape[place.axis]
    return size is None or size == len(place.labels)


def _parts(value) -> list[Any]:
    return list(value) if isinstance(value, tuple) else [value]
