"""What layers of preprocessing have learned from data beside their variables."""

from typing import Any

import keras
import numpy as np

from perfkit.graph.trails import trails

_layers = keras.layers
_LOOKUPS = (_layers.StringLookup, _layers.IntegerLookup)


def carry(new, old) -> None:
    """Have a layer or model, and all inside it, know what another one has adapted to.

    Args:
        new: A layer or model that has the values of the variables already.
        old: One that is made alike.
    """
    settle(new)
    for layer, source in zip(_of(new, _LOOKUPS), _of(old, _LOOKUPS), strict=True):
        if source.get_vocabulary(include_special_tokens=False):
            terms = source.get_vocabulary()
            layer.set_vocabulary(terms, **_weights(source, len(terms)))


def settle(model) -> None:
    """Have normalization use its variables: it computes with constants made of them."""
    for layer in _of(model, _layers.Normalization):
        layer.finalize_state()


def _weights(lookup, count) -> dict[str, Any]:
    """The weights of the terms, without those that only fill up."""
    if lookup.output_mode != "tf_idf":
        return {}
    return {"idf_weights": np.array(lookup.idf_weights)[:count]}


def _of(layer, kinds) -> list[Any]:
    found = [trail[-1] for trail in trails(layer) if isinstance(trail[-1], kinds)]
    return list({id(each): each for each in found}.values())
