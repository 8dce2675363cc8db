"""The layers of a model that own weights, from its inputs to its outputs."""

import dataclasses
from typing import Any

import keras

from perfkit.graph.trails import Trail, children, names, trails


@dataclasses.dataclass(frozen=True, eq=False)
class Owner:
    """A layer that owns weights.

    Attributes:
        trail: The first way to it from the model.
        weights: Those that no layer inside it owns.
    """

    trail: Trail
    weights: tuple[Any, ...]

    @property
    def layer(self) -> keras.Layer:
        """The layer."""
        return self.trail[-1]

    @property
    def path(self) -> str:
        """Names from the model down, joined with a slash."""
        return "/".join(names(self.trail))


def own_weights(layer) -> list[Any]:
    """Return the weights of a layer that no layer inside it owns."""
    inner = {id(weight) for child in children(layer) for weight in child.weights}
    return [weight for weight in layer.weights if id(weight) not in inner]


def owners(model) -> list[Owner]:
    """Return the layers that own weights, in the order of the model, each once."""
    found, seen = [], set()
    for trail in trails(model):
        layer = trail[-1]
        own = [weight for weight in own_weights(layer) if id(weight) not in seen]
        seen |= set(map(id, own))
        if own:
            found.append(Owner(trail, tuple(own)))
    return found
