"""What a model ends in."""

from typing import Any

import keras


def output_shapes(model) -> list[tuple[int | None, ...]]:
    """Shapes of what a model returns, of one sample; none where it does not say."""
    return [tuple(tensor.shape[1:]) for tensor in getattr(model, "outputs", None) or []]


def last_activations(model) -> set[str]:
    """Names of what the layers at the end of a model do to its outputs.

    Those that can be told: none of a model with a `call` of its own, or of one that
    ends in an operation.
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
