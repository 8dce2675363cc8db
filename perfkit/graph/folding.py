"""Batch normalization that becomes part of the layer before it."""

from collections.abc import Collection
from typing import Any

import keras
import numpy as np

from perfkit.graph import kernels
from perfkit.graph.altered import altered
from perfkit.graph.arrays import exact
from perfkit.graph.calls import Graph, read
from perfkit.graph.rebuilding import copy_state, copy_values, like, rebuilt

# With a kernel, a bias and an activation.
WEIGHTED = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def is_linear(layer) -> bool:
    """Whether a layer with weights ends in no activation."""
    return getattr(layer, "activation", None) in (None, keras.activations.linear)


def pairs(graph: Graph) -> list[tuple[Any, keras.layers.BatchNormalization]]:
    """Return pairs: a layer with weights, and the batch normalization right behind it.

    Nothing else takes the output of the layer. Pairs in nested models are found too;
    layers that are called more than once are left out.
    """
    graphs = [graph, *_nested(graph)]
    times: dict[int, int] = {}
    for one in graphs:
        for call in one.calls:
            times[id(call.operation)] = times.get(id(call.operation), 0) + 1
    found = []
    for one in graphs:
        ends = set(map(id, one.outputs))
        for call in one.calls:
            layer = call.operation
            if type(layer) not in WEIGHTED or not is_linear(layer):
                continue
            if altered(layer):
                continue
            consumers = one.consumers(call)
            if len(consumers) != 1 or id(call.outputs[0]) in ends:
                continue
            norm = consumers[0].operation
            if type(norm) is not keras.layers.BatchNormalization:
                continue
            once = times[id(layer)] == times[id(norm)] == 1
            if once and _is_on_channels(layer, norm, call):
                found.append((layer, norm))
    return found


def folded(owner: str, model, apart: Collection[str] = ()) -> keras.Model:
    """Return a new model in which batch normalization is part of the layer before it.

    At inference it returns the same but for rounding errors. It has no statistics of
    batches to train.

    Args:
        owner: Name of the caller, for errors.
        model: A built Functional or Sequential model; models may be nested in it.
        apart: Names of layers that keep their batch normalization behind them.
    """
    graph = read(owner, model)
    both = [(layer, norm) for layer, norm in pairs(graph) if layer.name not in apart]
    norms = {id(layer): norm for layer, norm in both}
    gone = {id(norm) for norm in norms.values()}

    def make(layer):
        if id(layer) in gone:
            return None
        return like(layer, **({"use_bias": True} if id(layer) in norms else {}))

    def fill(new, old):
        norm = norms.get(id(old))
        if norm is None:
            copy_values(new, old)
            return
        for variable, value in zip(new.weights, _folded(old, norm), strict=True):
            variable.assign(value)
            for before in old.weights:
                if before.name == variable.name:
                    copy_state(variable, before)

    return rebuilt(graph, make, fill)


def affine(norm) -> tuple[np.ndarray, np.ndarray]:
    """Return what batch normalization multiplies by and adds at inference, float64."""
    mean, variance = (exact(v) for v in (norm.moving_mean, norm.moving_variance))
    scale = 1.0 / np.sqrt(variance + norm.epsilon)
    scale = scale * exact(norm.gamma) if norm.scale else scale
    return scale, (exact(norm.beta) if norm.center else 0.0) - mean * scale


def _folded(layer, norm) -> list[np.ndarray]:
    """Weights of the layer that does what both did."""
    scale, shift = affine(norm)
    *matrices, kernel = [w for w in layer.weights if w.name != "bias"]
    axes = kernels.units(layer, kernel.name)
    shape = [1] * len(kernel.shape)
    for axis in axes:
        shape[axis] = kernel.shape[axis]
    bias = exact(layer.bias) if layer.use_bias else np.zeros_like(shift)
    weights = exact(kernel) * scale.reshape(shape)
    return [*map(exact, matrices), weights, bias * scale + shift]


def _is_on_channels(layer, norm, call) -> bool:
    rank = len(call.outputs[0].shape)
    first = getattr(layer, "data_format", None) == "channels_first"
    return norm.axis % rank == (1 if first else rank - 1)


def _nested(graph) -> list[Graph]:
    found: dict[int, Graph] = {}
    pending = list(graph.nested.values())
    while pending:
        one = pending.pop()
        if id(one) not in found:
            found[id(one)] = one
            pending.extend(one.nested.values())
    return list(found.values())
