"""The layers in a model, and the ways to them."""

from collections.abc import Iterator, Sequence

import keras

Trail = tuple[keras.Layer, ...]


def trails(model) -> Iterator[Trail]:
    """Yield the way from the model to each layer in it, all ways if there are several.

    They come in the order of the model; the model itself is the first.
    """
    yield from _onwards((model,))


def children(layer) -> Sequence[keras.Layer]:
    """Return the layers that a layer or model holds, each once."""
    if isinstance(layer, keras.Sequential):  # holds them a second time, as a graph
        return layer.layers
    held = _layers_in(list(vars(layer).values()))
    return list({id(child): child for child in held}.values())


def names(trail: Trail) -> list[str]:
    """Return the names along a way, without the model's own."""
    return [layer.name for layer in trail[1:]]


def _onwards(trail) -> Iterator[Trail]:
    yield trail
    for child in children(trail[-1]):
        if child not in trail:
            yield from _onwards((*trail, child))


def _layers_in(value) -> Iterator[keras.Layer]:
    if isinstance(value, keras.Layer):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _layers_in(item)
