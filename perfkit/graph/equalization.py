"""Weights of neighbouring layers, scaled so that no channel needs a range of its own."""

from typing import Any

import keras
import numpy as np

from perfkit.graph.calls import Graph
from perfkit.graph.channels import Reading
from perfkit.graph.folding import WEIGHTED

_ROUNDS = 30
_SETTLED = 1e-3
# What a positive factor for each channel passes through unchanged.
_HOMOGENEOUS = {
    *("ReLU", "Relu", "LeakyReLU", "PReLU", "Dropout", "Flatten", "Identity"),
    *("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D"),
    *("GlobalMaxPooling2D", "ZeroPadding1D", "ZeroPadding2D", "UpSampling2D"),
}


def equalize(graph: Graph) -> list[tuple[str, str]]:
    """Scale the weights of a model in place; what it returns stays, to rounding.

    Each channel between two layers with weights, if nothing else takes it and what lies
    between is homogeneous, is divided by a factor in the first layer and multiplied by
    it in the second, such that its largest weights are the same in both.

    Args:
        graph: A model without models in it, whose layers with weights have biases.

    Returns:
        The names of the pairs of layers.

    Reference: Nagel et al., Data-Free Quantization Through Weight Equalization and Bias
        Correction, 2019, arXiv 1906.04721. ReLU6 is left alone, which they replace.
    """
    reading = Reading(graph)
    pairs = [pair for call in graph.calls if (pair := _pair(graph, call))]
    for _ in range(_ROUNDS):
        moved = [_equalize(reading, first, second) for first, second in pairs]
        if max(moved, default=0.0) < _SETTLED:
            break
    return [(first.name, second.name) for first, second in pairs]


def _pair(graph, call) -> tuple[Any, Any] | None:
    """The layer of a call and the only one that its channels go to."""
    first = call.operation
    if type(first) not in WEIGHTED or not _is_called_once(graph, first):
        return None
    ends = set(map(id, graph.outputs))
    while True:
        consumers = graph.consumers(call)
        if len(consumers) != 1 or id(call.outputs[0]) in ends:
            return None
        (call,) = consumers
        layer = call.operation
        if type(layer) in WEIGHTED:
            return (first, layer) if _is_called_once(graph, layer) else None
        if not _is_homogeneous(layer):
            return None


def _is_called_once(graph, layer):
    return sum(call.operation is layer for call in graph.calls) == 1


def _is_homogeneous(layer) -> bool:
    if isinstance(layer, keras.layers.ReLU):
        return layer.max_value is None and not layer.threshold
    if isinstance(layer, keras.layers.Activation):
        return layer.activation in (keras.activations.relu, keras.activations.linear)
    return type(layer).__name__ in _HOMOGENEOUS


def _equalize(reading, first, second) -> float:
    """Equalize one pair; return the largest logarithm of a factor."""
    outs = reading.uses[id(first)].cuts["bias"][0]
    cuts = reading.uses[id(second)].cuts["kernel"]
    axis, ins = next(
        ((axis, x) for axis, x in cuts.items() if np.isin(x, outs).all()), (None, None)
    )
    if axis is None or len(np.unique(outs)) != len(outs):
        return 0.0
    kernel, other = _value(first.kernel), _value(second.kernel)
    places = np.searchsorted(np.sort(outs), ins)
    places = np.argsort(outs)[places]
    over = np.abs(other).max(axis=tuple(k for k in range(other.ndim) if k != axis % other.ndim))
    needs = np.zeros(len(outs))
    np.maximum.at(needs, places, over)
    unit_axes = [k % kernel.ndim for k, x in reading.uses[id(first)].cuts["kernel"].items() if len(x) == len(outs) and np.array_equal(x, outs)]
    if not unit_axes:
        return 0.0
    (unit_axis,) = unit_axes
    has = np.abs(kernel).max(axis=tuple(k for k in range(kernel.ndim) if k != unit_axis))
    usable = (has > 0.0) & (needs > 0.0)
    factors = np.where(usable, np.sqrt(has / np.where(usable, needs, 1.0)), 1.0)
    factors = np.where(factors > 0.0, factors, 1.0)
    shape = [1] * kernel.ndim
    shape[unit_axis] = len(factors)
    first.kernel.assign(kernel / factors.reshape(shape))
    first.bias.assign(_value(first.bias) / factors)
    shape = [1] * other.ndim
    shape[axis] = len(ins)
    second.kernel.assign(other * factors[places].reshape(shape))
    return float(np.abs(np.log(factors)).max())


def _value(x) -> np.ndarray:
    return np.array(keras.ops.convert_to_numpy(x), "float64")
