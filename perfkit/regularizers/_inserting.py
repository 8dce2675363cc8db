"""Putting dropping layers into a model, and saying where."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

import keras

from perfkit import _check
from perfkit.graph.calls import Call, Graph
from perfkit.graph.insertion import Insertion, inserted
from perfkit.regularizers.inserted import Inserted


@dataclasses.dataclass(frozen=True, eq=False)
class Site:
    """A place for a new layer.

    Attributes:
        path: Path of the layer, or operation, that is called.
        graph: The graph that the call is in.
        call: The call.
        tensor: What passes through the new layer.
        behind: Whether that is what the call returns, rather than what it takes.
        usual: What makes the layer from a rate, if the user does not say.
    """

    path: str
    graph: Graph
    call: Call
    tensor: Any
    behind: bool
    usual: Callable[[float], keras.layers.Layer]


def insert(
    owner: str,
    graph: Graph,
    sites: Sequence[Site],
    skipped: Mapping[str, str],
    rate,
    layer,
    where,
) -> tuple[keras.Model, Inserted]:
    """Put a new layer at each site, in the order of the model, and report it."""
    first, last = _rates(owner, rate)
    if isinstance(layer, keras.Layer) or not callable(layer or dict):
        expected = "a function of the rate that makes a layer, such as a layer's class"
        _check.fail(owner, "layer", expected, layer, TypeError)
    if not sites:
        why = "; ".join(f"{path}: {why}" for path, why in skipped.items())
        expected = f"a choice of places for a new layer, unlike these ({why})"
        _check.fail(owner, "where", expected, where)
    suffix = owner.removeprefix("attach")
    insertions, places, kinds, rates, taken = [], {}, {}, {}, set()
    for number, site in enumerate(sites):
        share = number / (len(sites) - 1) if len(sites) > 1 else 1.0
        value = first + (last - first) * share
        name = _free_name(site, f"{site.call.operation.name}{suffix}", taken)
        new = _made(owner, layer or site.usual, value, layer)
        if any(new is other.layer for other in insertions):
            _check.fail(owner, "layer", "a function that makes a new layer", layer)
        new.name = name
        if keras.backend.is_float_dtype(site.tensor.dtype):
            new.dtype_policy = keras.DTypePolicy(site.tensor.dtype)
        tensor = None if site.behind else site.tensor
        insertions.append(Insertion(new, site.call, tensor))
        path = "/".join([*site.path.split("/")[:-1], name])
        places[path], rates[path] = site.path, value
        kinds[path] = type(new).__name__
    return inserted(graph, insertions), Inserted(places, kinds, rates, dict(skipped))


def _rates(owner, rate) -> tuple[float, float]:
    ends = rate if isinstance(rate, (list, tuple)) else (rate, rate)
    bounded = all(
        isinstance(end, Real) and not isinstance(end, bool) and 0.0 <= float(end) < 1.0
        for end in ends
    )
    if len(ends) != 2 or not bounded:
        expected = "a number or a pair (first, last) within [0, 1)"
        _check.fail(owner, "rate", expected, rate)
    return float(ends[0]), float(ends[1])


def _made(owner, make, rate, layer) -> keras.Layer:
    new = make(rate)
    if not isinstance(new, keras.Layer):
        expected = f"a function of the rate that makes a layer, where it made {new!r}"
        _check.fail(owner, "layer", expected, layer, TypeError)
    return new


def _free_name(site, wanted, taken) -> str:
    used = {call.operation.name for call in site.graph.calls}
    name, number = wanted, 0
    while name in used or (id(site.graph), name) in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add((id(site.graph), name))
    return name
