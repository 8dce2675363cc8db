"""Which variables of a model learn, and which did before that was changed."""

import math
import weakref

from perfkit.graph import trainable
from perfkit.graph.owners import own_weights
from perfkit.graph.trails import trails

# What `trainable` was of a layer, and of the weights that it owns itself.
_before: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def remember(model) -> None:
    """Note what is trainable in a model now, if that was not noted before."""
    for layer, *before in trainable.flags(model):
        _before.setdefault(layer, before)


def is_noted(model) -> bool:
    """Whether it was noted what was trainable in a model."""
    return any(trail[-1] in _before for trail in trails(model))


def restore(model) -> None:
    """Make trainable again what was when it was noted, or all if nothing was noted."""
    if is_noted(model):
        trainable.put_back(
            (layer, *_before.pop(layer, now)) for layer, *now in trainable.flags(model)
        )
    else:
        trainable.switch(model, True)


def only(model, learning) -> set[int]:
    """Have no other variables learn than those of these ids.

    A layer in which none learns is frozen, which has `BatchNormalization` leave its
    statistics alone. Layers without weights are not.

    Returns:
        The ids of the weights that could learn, and do not.
    """
    for trail in trails(model):
        trainable.switch(trail[-1], True)
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


def size(weights) -> int:
    """Return how many numbers there are in weights."""
    return sum(math.prod(weight.shape) for weight in weights)
