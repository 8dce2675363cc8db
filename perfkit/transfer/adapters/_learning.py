"""Which variables of a model learn, and which did before that was changed."""

import math
import weakref
from typing import Any

from perfkit.graph.trails import children, trails

# What `trainable` was of a layer, and of the weights that it owns itself.
_before: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def remember(model) -> None:
    """Note what is trainable in a model now, if that was not noted before."""
    for trail in trails(model):
        layer = trail[-1]
        if layer not in _before:
            own = [(weight, weight.trainable) for weight in own_weights(layer)]
            _before[layer] = (layer.trainable, own)


def is_noted(model) -> bool:
    """Whether it was noted what was trainable in a model."""
    return any(trail[-1] in _before for trail in trails(model))


def restore(model) -> None:
    """Make trainable again what was when it was noted, or all if it never was."""
    ways = list(trails(model))
    for trail in ways:  # parents first, as a layer sets those in it
        layer = trail[-1]
        _set(layer, _before[layer][0] if layer in _before else True)
    for trail in ways:
        for weight, trainable in _before.pop(trail[-1], (None, []))[1]:
            weight.trainable = trainable


def only(model, learning) -> set[int]:
    """Have no other variables learn than those of these ids.

    A layer in which none learns is frozen, which has `BatchNormalization` leave its
    statistics alone. Layers without weights are left as they are.

    Returns:
        The ids of the weights that could learn, and do not.
    """
    for trail in trails(model):
        _set(trail[-1], True)
    could = {id(weight) for weight in model.trainable_weights}
    for trail in trails(model):
        layer = trail[-1]
        weights = layer.weights
        if weights and not any(id(weight) in learning for weight in weights):
            layer.trainable = False
    for trail in trails(model):
        for weight in own_weights(trail[-1]):
            if id(weight) not in learning:
                weight.trainable = False
    return could - learning


def _set(layer, trainable):
    """Set a layer's attribute and the weights that it owns.

    On TensorFlow, setting an attribute to what it is does nothing, so that weights
    would stay frozen that were frozen by themselves.
    """
    layer.trainable = not trainable
    layer.trainable = trainable


def own_weights(layer) -> list[Any]:
    """Return the weights of a layer that no layer inside it owns."""
    inner = {id(weight) for child in children(layer) for weight in child.weights}
    return [weight for weight in layer.weights if id(weight) not in inner]


def size(weights) -> int:
    """Return how many numbers there are in weights."""
    return sum(math.prod(weight.shape) for weight in weights)
