"""Layers without the transforms of their kernels, such as clusters."""

from collections.abc import Mapping, Sequence

import keras

from perfkit import _check
from perfkit.compress.quantization._placing import has_kernel
from perfkit.compress.quantization.quantized_kernel import QuantizedKernel
from perfkit.compress.reparameterized import KernelTransform, Reparameterized
from perfkit.graph.calls import read
from perfkit.graph.rebuilding import copy_values, like, rebuilt
from perfkit.graph.trails import names, trails

Transforms = Mapping[str, Sequence[KernelTransform]]


def undressed(owner, model) -> tuple[keras.Model, Transforms]:
    """Return a model without transforms of kernels, and these by the paths of layers.

    Its kernels are those that learn. Where there are no transforms, it is the model
    itself.

    Args:
        owner: Name of the caller, for errors.
        model: A built `keras.Model`.
    """
    _check.instance(owner, "model", model, keras.Model)
    if not any(_is_dressed(trail[-1]) for trail in trails(model)):
        return model, {}
    graph = read(owner, model)
    found = {
        "/".join(names(trail)): trail[-1].transforms
        for trail, _, _ in graph.trails()
        if _is_dressed(trail[-1])
    }
    quantized = [path for path, kinds in found.items() if _is_quantized(kinds)]
    if quantized:
        expected = (
            "a model that is not quantized yet; `strip` makes a plain one of it. "
        )
        expected += f"Quantized are {', '.join(quantized)}"
        _check.fail(owner, "model", expected, model.name)

    def inner(layer):
        return layer.layer if _is_dressed(layer) else layer

    plain = rebuilt(
        graph,
        lambda layer: like(inner(layer), name=layer.name),
        lambda new, old: copy_values(new, inner(old)),
    )
    return plain, found


def _is_dressed(layer) -> bool:
    return isinstance(layer, Reparameterized) and has_kernel(layer.layer)


def _is_quantized(transforms) -> bool:
    return any(isinstance(one, QuantizedKernel) for one in transforms)
