"""Weights of neighbouring layers, scaled so that channels have similar ranges."""

from typing import Any

import keras
import numpy as np

from perfkit.graph.arrays import exact
from perfkit.graph.calls import Graph
from perfkit.graph.channels import Reading
from perfkit.graph.folding import WEIGHTED

_ROUNDS = 30
_SETTLED = 1e-3
# Layers f with f(factor * x) = factor * f(x) for a positive factor per channel.
_HOMOGENEOUS = {
    *("ReLU", "Relu", "LeakyReLU", "PReLU", "Dropout", "Flatten", "Identity"),
    *("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D"),
    *("GlobalMaxPooling2D", "ZeroPadding1D", "ZeroPadding2D", "UpSampling2D"),
}


def equalize(graph: Graph) -> list[tuple[str, str]]:
    """Scale the weights of a model in place, so that channels have similar ranges.

    The model returns the same but for rounding errors. Each channel between two layers
    with weights is divided by a factor in the first layer and multiplied by it in the
    second, so that its largest weights are the same in both. That is done where nothing
    else takes the channels, and where what lies between passes factors on, as ReLU
    does.

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
    cuts = reading.uses[id(first)].cuts
    if "bias" not in cuts:  # of a layer whose channels lie in groups
        return 0.0
    outs = cuts["bias"][0]
    made = _along(reading, first, lambda labels: np.array_equal(labels, outs))
    taken = _along(reading, second, lambda labels: np.isin(labels, outs).all())
    if made is None or taken is None or len(np.unique(outs)) < len(outs):
        return 0.0
    order = np.argsort(outs)
    places = order[np.searchsorted(outs, taken[1], sorter=order)]
    kernel, other = exact(first.kernel), exact(second.kernel)
    has, needs = _largest(kernel, made[0]), np.zeros(len(outs))
    np.maximum.at(needs, places, _largest(other, taken[0]))
    usable = (has > 0.0) & (needs > 0.0)
    factors = np.sqrt(np.where(usable, has, 1.0) / np.where(usable, needs, 1.0))
    first.kernel.assign(kernel / _spread(factors, made[0], kernel.ndim))
    first.bias.assign(exact(first.bias) / factors)
    second.kernel.assign(other * _spread(factors[places], taken[0], other.ndim))
    return float(np.abs(np.log(factors)).max())


def _along(reading, layer, fits) -> tuple[int, np.ndarray] | None:
    """The axis of a kernel whose labels fit, and these."""
    axes = reading.uses[id(layer)].cuts.get("kernel", {})
    return next(((axis, labels) for axis, labels in axes.items() if fits(labels)), None)


def _largest(kernel, axis) -> np.ndarray:
    rows = np.moveaxis(np.abs(kernel), axis, 0)
    return rows.reshape(len(rows), -1).max(axis=1)


def _spread(factors, axis, rank) -> np.ndarray:
    shape = [1] * rank
    shape[axis] = len(factors)
    return factors.reshape(shape)
