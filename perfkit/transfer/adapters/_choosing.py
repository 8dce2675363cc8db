"""The argument `train`, and reports of what learns."""

from typing import Any

import keras

from perfkit import _check
from perfkit.graph import kernels, selection
from perfkit.graph.tracing import retrace
from perfkit.graph.trails import names, trails
from perfkit.transfer.adapters import _learning, _tuned
from perfkit.transfer.adapters._low_rank import LowRank
from perfkit.transfer.adapters.adapted import Adapted
from perfkit.transfer.adapters.adapter import Adapter

WHOLE = "learns as a whole"  # why a layer that `train` names is left alone


def built(owner, model) -> None:
    """Check that `model` is a built model."""
    _check.instance(owner, "model", model, keras.Model)
    _check.built(owner, "model", model)


def paths(model) -> dict[int, str]:
    """Return the first path to each layer, by the layer's id."""
    found: dict[int, str] = {}
    for trail in trails(model):
        found.setdefault(id(trail[-1]), "/".join(names(trail)))
    return found


def trained(owner, model, train) -> dict[int, tuple[str, Any]]:
    """Return the path of each layer that `train` selects, and it, by its id.

    A layer inside another one of them is left out.
    """
    selection.check(owner, train, "train")
    numbers, found = kernels.numbers(model), {}

    def selects(choice, trail):
        return selection.selects(choice, trail, numbers.get(id(trail[-1])))

    ways = [trail for trail in trails(model) if len(trail) > 1]
    ways = [trail for trail in ways if not isinstance(trail[-1], LowRank)]
    if train is None:
        return {}
    for choice in selection.needed(train):
        if not any(selects(choice, trail) for trail in ways):
            there = ", ".join(dict.fromkeys("/".join(names(trail)) for trail in ways))
            expected = f"a choice from the layers of the model: {there}"
            _check.fail(owner, "train", expected, choice)
    for trail in ways:
        inside = any(id(layer) in found for layer in trail[:-1])
        if not inside and selects(train, trail):
            found[id(trail[-1])] = "/".join(names(trail)), trail[-1]
    return found


def learns_as_a_whole(model) -> bool:
    """Whether nothing in a model is frozen, and nothing was put into it."""
    layers = _tuned.numbered(model)
    if any(isinstance(layer, (Adapter, _tuned.Tuned)) for layer in layers):
        return False
    return all(layer.trainable for layer in layers) and not _learning.is_noted(model)


def weights_in(whole) -> set[int]:
    """Return the ids of the weights of the layers that `trained` found."""
    return {id(weight) for _, layer in whole.values() for weight in layer.weights}


def settled(model, learning, places, whole, skipped, before) -> Adapted:
    """Have these variables and all adapters learn, no others; return the report."""
    layers = _tuned.numbered(model)
    adapters = [x for layer in layers for x in _tuned.adapters_in(layer)]
    adapters += [layer for layer in layers if isinstance(layer, Adapter)]
    ours = {id(weight) for adapter in adapters for weight in adapter.weights}
    _tuned.settle(model, learning | ours)
    for layer in layers:
        if isinstance(layer, keras.Model):
            retrace(layer)
    return Adapted(
        places=places,
        trained=tuple(path for path, _ in whole.values()),
        skipped={path: why for path, why in skipped.items() if why != WHOLE},
        before=before,
        after=_learning.size(model.trainable_weights),
        total=_learning.size(model.weights),
    )
