"""What is trainable in the layers of a model, each by itself."""

import warnings
from collections.abc import Iterable
from typing import Any

from perfkit.graph.owners import own_weights
from perfkit.graph.trails import trails

# A layer, whether it is trainable, and whether each weight is that it owns itself.
Flags = tuple[Any, bool, list[tuple[Any, bool]]]


def flags(model) -> list[Flags]:
    """Return what is trainable now in each layer of a model or layer, itself too.

    A layer comes behind those that hold it.
    """
    last = {id(trail[-1]): trail[-1] for trail in reversed(list(trails(model)))}
    return [
        (layer, layer.trainable, [(w, w.trainable) for w in own_weights(layer)])
        for layer in reversed(last.values())
    ]


def put_back(before: Iterable[Flags]) -> None:
    """Set layers and the weights that they own to what they were.

    Args:
        before: What `flags` returned, or some of it in that order.
    """
    before = list(before)  # a layer sets those inside it, so all come before weights
    for layer, trainable, _ in before:
        switch(layer, trainable)
    for _, _, weights in before:
        for weight, trainable in weights:
            weight.trainable = trainable


def switch(layer, trainable) -> None:
    """Set a layer, all inside it and all their weights.

    On TensorFlow, setting an attribute to what it is does nothing, so that weights
    would stay frozen that were frozen by themselves.
    """
    layer.trainable = not trainable
    layer.trainable = trainable


def switch_alone(layer, trainable) -> None:
    """Set a layer and the weights that it owns, and nothing inside it."""
    inside = flags(layer)[1:]
    switch(layer, trainable)
    put_back(inside)


def warn_of_compiled(model) -> None:
    """Warn, where the caller was called, if a model was compiled before."""
    if model.compiled:
        warnings.warn(
            f"{model.name} was compiled before: compile it again, so that `fit` knows "
            "what learns.",
            stacklevel=3,
        )
