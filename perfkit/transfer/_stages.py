"""A model as a row of stages: parts of its backbone, and its head."""

import dataclasses
from typing import Any

from perfkit import _check
from perfkit.graph import selection
from perfkit.graph.owners import Owner, owners
from perfkit.transfer.heads import NAME


@dataclasses.dataclass(frozen=True, eq=False)
class Stage:
    """Layers that learn at the same rate.

    Attributes:
        owners: Those of them that own weights.
    """

    owners: tuple[Owner, ...]

    @property
    def variables(self) -> list[Any]:
        """What is trained in it."""
        weights = [weight for owner in self.owners for weight in owner.weights]
        return [weight for weight in weights if weight.trainable]

    @property
    def name(self) -> str:
        """From which layer to which."""
        first, last = self.owners[0].path, self.owners[-1].path
        return first if first == last else f"{first} ... {last}"


def body_and_head(model) -> tuple[list[Owner], list[Owner]]:
    """Split the layers with weights in front of the head.

    The head begins at the first layer in the model itself that is called `head`, or
    something that begins with it. Without one, all is body. A model that holds all
    weights, as one behind an augmentation, is looked into.
    """
    found = owners(model)
    levels = zip(*(owner.trail for owner in found), strict=False)
    shared = [each for each in levels if len(set(map(id, each))) == 1]
    for place, owner in enumerate(found):
        ways = owner.trail[1 : len(shared) + 1]
        if any(layer.name.startswith(NAME) for layer in ways):
            return found[:place], found[place:]
    return found, []


def body_and_last(model) -> tuple[list[Owner], list[Owner]]:
    """The same, but without a `head` that is the last layer that has weights."""
    body, head = body_and_head(model)
    return (body, head) if head else (body[:-1], body[-1:])


def stages(owner, model, count) -> list[Stage]:
    """Split a model into stages, from its inputs to its outputs.

    Args:
        owner: Whose argument `stages` is, for errors.
        model: A built model.
        count: How many, the head being one of them; the others have about as many
            layers each, of those that can learn. Or what begins each stage but the
            first: names and others that `where` of `regularizers.attach` takes, in the
            order of the model.

    Without a layer `head...` the head is the last layer that has weights.
    """
    body, head = body_and_last(model)
    every = [*body, *head]
    if isinstance(count, (list, tuple)):
        cuts = [first_selected(owner, "stages", every, where) for where in count]
        if not cuts or sorted(set(cuts)) != cuts or cuts[0] == 0:
            paths = [every[cut].path for cut in cuts]
            expected = "what begins each stage but the first, in the order of the "
            expected += f"model. They begin at {paths}"
            _check.fail(owner, "stages", expected, count)
    else:
        able = [k for k, x in enumerate(body) if any(w.trainable for w in x.weights)]
        able = able or list(range(len(body)))
        count = _check.integer(owner, "stages", count, 2, max(2, len(able) + 1))
        if not body:
            _check.fail(owner, "model", "one with layers before its head", model.name)
        parts = count - 1
        cuts = [able[round(k * len(able) / parts)] for k in range(1, parts)]
        cuts.append(len(body))
    ends = [*cuts, len(every)]
    starts = [0, *cuts]
    return [Stage(tuple(every[a:b])) for a, b in zip(starts, ends, strict=True)]


def last_selected(owner, name, found, where) -> int:
    """Place of the last of the owners that `where` selects."""
    return _places(owner, name, found, where)[-1]


def first_selected(owner, name, found, where) -> int:
    """Place of the first of the owners that `where` selects."""
    return _places(owner, name, found, where)[0]


def _places(owner, name, found, where) -> list[int]:
    selection.check(owner, where, name)
    many = len(found)
    places = [
        k
        for k, one in enumerate(found)
        if selection.selects(where, one.trail, (k, many))
    ]
    if not places:
        some = ", ".join(one.path for one in found[:8])
        expected = f"something that selects a layer with weights, of {some}, ..."
        _check.fail(owner, name, expected, where)
    return places
