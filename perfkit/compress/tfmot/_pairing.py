"""The layers of a Keras 3 model, and those of a Keras 2 model with the same names."""

from collections.abc import Iterator
from typing import Any

from perfkit.compress.tfmot import _layers
from perfkit.graph.functional import is_graph


def inside(layer, twin) -> Iterator[tuple[Any, Any]]:
    """Yield what a layer or model of Keras 3 holds, and the twin of each, or None."""
    if is_graph(layer):
        there = {name_of(inner): inner for inner in getattr(twin, "layers", ())}
        for inner in layer.layers:
            yield inner, there.get(inner.name)
    for name in _layers.INNER.get(type(layer).__name__, {}).values():
        yield getattr(layer, name), getattr(twin, name, None)


def pairs(layer, twin, above="") -> Iterator[tuple[str, Any, Any]]:
    """Yield the path of each layer, the layer and its twin, or None without a twin.

    A layer that holds others is left out; those that it holds come instead.
    """
    held = list(inside(layer, twin))
    for inner, inner_twin in held:
        yield from pairs(inner, inner_twin, f"{above}/{inner.name}".strip("/"))
    if not held:
        yield above, layer, twin


def leaves(layer) -> Iterator[Any]:
    """Yield the layers in a Keras 2 model, and not those that hold them."""
    inner = getattr(layer, "layers", None)
    if inner is None:
        names = _layers.INNER.get(type(layer).__name__, {}).values()
        inner = [getattr(layer, name) for name in names]
    for one in inner:
        yield from leaves(one)
    if not inner:
        yield layer


def is_wrapped(layer) -> bool:
    """Whether a layer of Keras 2 is a wrapper of tfmot that tfmot can strip.

    Those that quantize are not: nothing takes them off.
    """
    return _is_of_tfmot(layer) and not type(layer).__name__.startswith(
        ("QuantizeWrapper", "QuantizeLayer")
    )


def name_of(layer) -> str:
    """Return the name of a layer of Keras 2, of the one inside if it is quantized."""
    return layer.layer.name if _is_quantized(layer) else layer.name


def short_name(weight) -> str:
    """Return the name of a weight within its layer, the same of both Keras."""
    name = weight.name.partition(":")[0].rpartition("/")[2]
    return name.removeprefix("depthwise_")  # Keras 2 says so in DepthwiseConv2D alone


def weights_of(layer) -> list[Any]:
    """Return the weights of a layer of Keras 2, without those that quantize it."""
    if not _is_of_tfmot(layer):
        return layer.weights
    own = f"{layer.name}/"
    return [weight for weight in layer.weights if not weight.name.startswith(own)]


def _is_of_tfmot(layer):
    return type(layer).__module__.startswith("tensorflow_model_optimization.")


def _is_quantized(layer):
    return _is_of_tfmot(layer) and type(layer).__name__.startswith("QuantizeWrapper")
