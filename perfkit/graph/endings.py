"""The outputs of a model: their shapes and last activations."""

from typing import Any

import keras


def output_shapes(model) -> list[tuple[int | None, ...]]:
    """Return the shapes of the outputs for one sample; none where they are unknown."""
    return [tuple(tensor.shape[1:]) for tensor in getattr(model, "outputs", None) or []]


def last_activations(model) -> set[str]:
    """Return the names of the activations of the last layers of a model.

    Only those that can be told: none for a model with a `call` of its own, or for one
    that ends in an operation.
    """
    if not isinstance(model, keras.Model):
        softmax = isinstance(model, keras.layers.Softmax)
        name = getattr(getattr(model, "activation", None), "__name__", "")
        return {"softmax"} if softmax else {name} - {""}
    layers: Any = {layer.name: layer for layer in model.layers}
    names: Any = getattr(model, "output_names", [])
    if isinstance(model, keras.Sequential):
        names = list(layers)[-1:]
    ends = [last_activations(layers[name]) for name in names if name in layers]
    return set().union(*ends)
