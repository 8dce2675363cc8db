"""Scales per channel that become part of the layer behind them."""

from typing import Any

import keras

from perfkit.graph.arrays import exact
from perfkit.graph.calls import Graph, read
from perfkit.graph.rebuilding import copy_values, like, rebuilt

_layers = keras.layers
# Axis of the kernel that numbers what a layer takes.
_INPUTS = {_layers.Dense: 0, _layers.Conv2D: -2, _layers.DepthwiseConv2D: -2}


def absorbed(owner: str, model, between: type) -> keras.Model:
    """Merge a scale per channel into the layer behind it: return a model without it.

    Such a scale is a depthwise convolution with kernels of one weight, whose output
    only one layer takes. Its bias is merged too, where the layer behind it does not
    pad.

    Args:
        owner: Name of the caller, for errors.
        model: A Functional or Sequential model.
        between: A class of layers that may lie between the two; they are left out, too.
    """
    graph = read(owner, model)
    pairs = {id(last): first for first, last in _pairs(graph, between)}
    # One that takes and is taken itself takes first; the rest comes next time.
    pairs = {last: chain for last, chain in pairs.items() if id(chain[0]) not in pairs}
    gone = {id(layer) for chain in pairs.values() for layer in chain}
    if not gone:
        return model

    def fill(new, old):
        copy_values(new, old)
        if id(old) in pairs:
            _absorb(new, pairs[id(old)][0])

    new = rebuilt(graph, lambda x: None if id(x) in gone else like(x), fill)
    return absorbed(owner, new, between)


def _pairs(graph: Graph, between):
    """Yield layers that go, in a row that begins with the scale, and the one behind."""
    ends = set(map(id, graph.outputs))
    times: dict[int, int] = {}
    for call in graph.calls:
        times[id(call.operation)] = times.get(id(call.operation), 0) + 1
    for first in graph.calls:
        chain, call = [first.operation], first
        if not _scales(first.operation):
            continue
        while True:
            consumers = graph.consumers(call)
            if len(consumers) != 1 or id(call.outputs[0]) in ends:
                break
            (call,) = consumers
            if isinstance(call.operation, between):
                chain.append(call.operation)
                continue
            every = [*chain, call.operation]
            once = all(times[id(layer)] == 1 for layer in every)
            if once and _takes(call.operation, first.operation):
                yield chain, call.operation
            break


def _scales(layer) -> bool:
    if type(layer) is not _layers.DepthwiseConv2D or layer.depth_multiplier != 1:
        return False
    plain = layer.activation is keras.activations.linear
    single = set(layer.kernel_size) == {1} and set(_pair(layer.strides)) == {1}
    return plain and single and layer.data_format == "channels_last"


def _takes(layer, before) -> bool:
    axis = _INPUTS.get(type(layer))
    if axis is None or layer.kernel.shape[axis] != before.kernel.shape[-2]:
        return False  # another kind, or of several groups of channels
    shifts = before.use_bias and exact(before.bias).any()
    return not shifts or (
        layer.use_bias and getattr(layer, "padding", "valid") == "valid"
    )


def _absorb(layer: Any, before) -> None:
    axis = _INPUTS[type(layer)]
    kernel, scale = exact(layer.kernel), exact(before.kernel).ravel()
    shape = [1] * kernel.ndim
    shape[axis] = len(scale)
    if before.use_bias and layer.use_bias:
        shift = kernel * exact(before.bias).reshape(shape)
        units = shift.ndim - (2 if type(layer) is _layers.DepthwiseConv2D else 1)
        added = shift.sum(axis=tuple(range(units))).ravel()
        bias: Any = layer.bias
        bias.assign(exact(bias) + added)
    layer.kernel.assign(kernel * scale.reshape(shape))


def _pair(value) -> tuple[int, ...]:
    return (value, value) if isinstance(value, int) else tuple(value)
