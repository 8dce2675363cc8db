"""What layers with weights do to channels.

A rule is a function `(reading, call, given) -> outputs`: see `rule_of`.
"""

from typing import Any

import numpy as np

from perfkit.graph.activations import activation_mixes
from perfkit.graph.labels import Labelled, channel_axis


def dense(reading, call, given):
    layer = call.operation
    last = len(call.inputs[0].shape) - 1
    ins, outs = reading.on(call, 0, given, last), reading.made(call, layer.units)
    cuts = {"kernel": {0: ins, 1: outs}, "bias": {0: outs}}
    reading.use(call, cuts, {"units": outs}, made=outs, taken=("kernel", 0))
    return [Labelled(last, outs)]


def conv(reading, call, given):
    layer = call.operation
    axis = channel_axis(layer, len(call.inputs[0].shape))
    ins, groups = reading.on(call, 0, given, axis), layer.groups
    if groups > 1 and groups == len(ins):  # each channel by itself
        outs = np.repeat(ins, layer.filters // groups)
        cuts = {"kernel": {-1: outs}, "bias": {0: outs}}
        reading.use(call, cuts, {"filters": outs, "groups": ins})
        _mixed(reading, call, outs)
        return [Labelled(axis, outs)]
    outs = reading.made(call, layer.filters)
    cuts = {"kernel": {-2: ins, -1: outs}, "bias": {0: outs}}
    if groups > 1:
        reading.lock(call, ins, outs, why="its groups of channels are of fixed sizes")
        cuts = {}
    taken = ("kernel", -2) if groups == 1 else None
    reading.use(call, cuts, {"filters": outs}, made=outs, taken=taken)
    return [Labelled(axis, outs)]


def transposed(reading, call, given):
    layer = call.operation
    axis = channel_axis(layer, len(call.inputs[0].shape))
    ins, outs = reading.on(call, 0, given, axis), reading.made(call, layer.filters)
    cuts = {"kernel": {-2: outs, -1: ins}, "bias": {0: outs}}
    reading.use(call, cuts, {"filters": outs}, made=outs, taken=("kernel", -1))
    return [Labelled(axis, outs)]


def depthwise(reading, call, given):
    layer = call.operation
    axis = channel_axis(layer, len(call.inputs[0].shape))
    ins = reading.on(call, 0, given, axis)
    outs = np.repeat(ins, layer.depth_multiplier)
    reading.use(call, {"kernel": {-2: ins}, "bias": {0: outs}})
    _mixed(reading, call, outs)
    return [Labelled(axis, outs)]


def separable(reading, call, given):
    layer = call.operation
    axis = channel_axis(layer, len(call.inputs[0].shape))
    ins, outs = reading.on(call, 0, given, axis), reading.made(call, layer.filters)
    between = np.repeat(ins, layer.depth_multiplier)
    cuts = {
        "depthwise_kernel": {-2: ins},
        "pointwise_kernel": {-2: between, -1: outs},
        "bias": {0: outs},
    }
    taken = ("pointwise_kernel", -2)
    reading.use(call, cuts, {"filters": outs}, made=outs, taken=taken)
    return [Labelled(axis, outs)]


def _mixed(reading, call, labels):
    """Lock channels if the activation of their layer looks at several of them."""
    if activation_mixes(call.operation):
        reading.lock(call, labels, why="its activation looks at all of them")


def embedding(reading, call, given):  # noqa: ARG001
    layer = call.operation
    outs = reading.made(call, layer.output_dim)
    cuts = {"embeddings": {1: outs}}
    if layer.mask_zero:
        reading.lock(call, outs, why="what follows may depend on its mask")
    reading.use(call, cuts, {"output_dim": outs}, made=outs)
    return [Labelled(len(call.outputs[0].shape) - 1, outs)]


def recurrent(reading, call, given):
    last = len(call.inputs[0].shape) - 1
    ins = reading.on(call, 0, given, last)
    for extra in range(1, len(call.inputs)):
        reading.lock_given(call, given[extra], why="it is a state")
    reading.use(call, {"kernel": {0: ins}}, taken=("kernel", 0))
    return reading.kept(call, why="its units depend on each other")


def normalization(reading, call, given):
    layer = call.operation
    rank = len(call.inputs[0].shape)
    axes: Any = layer.axis
    axes = [axes] if isinstance(axes, int) else list(axes)
    if len(axes) != 1:
        return reading.unknown(call, given)
    axis = axes[0] % rank
    ins = reading.on(call, 0, given, axis)
    names = ("gamma", "beta", "scale", "moving_mean", "moving_variance")
    reading.use(call, {name: {0: ins} for name in names})
    return [Labelled(axis, ins)]


def group_normalization(reading, call, given):
    layer = call.operation
    axis = layer.axis % len(call.inputs[0].shape)
    if layer.groups not in (-1, 1, call.inputs[0].shape[axis]):
        return reading.unknown(call, given)
    ins = reading.on(call, 0, given, axis)
    own = layer.groups not in (-1, 1)
    config = {"groups": ins} if own else {}
    reading.use(call, {"gamma": {0: ins}, "beta": {0: ins}}, config)
    return [Labelled(axis, ins)]


def scale(reading, call, given):
    """A weight for each channel on the last axis."""
    if getattr(call.operation, "axis", -1) != -1:
        return reading.unknown(call, given)
    ins = reading.on(call, 0, given, len(call.inputs[0].shape) - 1)
    config = (
        {"projection_dim": ins} if hasattr(call.operation, "projection_dim") else {}
    )
    (weight,) = call.operation.weights  # without a name of its own in Keras
    reading.use(call, {weight.name: {0: ins}}, config)
    return [Labelled(len(call.inputs[0].shape) - 1, ins)]


def prelu(reading, call, given):
    place, shared = given[0], call.operation.shared_axes or ()
    if place is None:
        return reading.unknown(call, given)
    if place.axis not in shared:
        reading.use(call, {"alpha": {place.axis - 1: place.labels}})
    return [place]
