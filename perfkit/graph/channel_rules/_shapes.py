"""What layers and operations without weights do to channels.

A rule is a function `(reading, call, given) -> outputs`: see `rule_of`.
"""

from typing import Any

import keras
import numpy as np

from perfkit.graph.activations import activation_mixes
from perfkit.graph.arrays import array
from perfkit.graph.labels import Labelled, channel_axis


def same(reading, call, given):  # noqa: ARG001
    """Pass labels on; channels stay on their axis."""
    return [given[0]] * len(call.outputs)


def dropped(reading, call, given):
    if any(size not in (None, 1) for size in call.operation.noise_shape or ()):
        return reading.unknown(call, given)  # perhaps a number of channels
    return same(reading, call, given)


def rescaled(reading, call, given):
    layer = call.operation
    return _of_numbers(reading, call, given, layer.scale, layer.offset)


def clipped(reading, call, given):
    bounds = call.operation.x_min, call.operation.x_max
    return _of_numbers(reading, call, given, *bounds)


def _of_numbers(reading, call, given, *held):
    """Pass on what comes unless something is held for each channel."""
    if any(map(np.ndim, held)):
        return reading.unknown(call, given)
    return same(reading, call, given)


def of_each(reading, call, given):
    """Pass labels on through an elementwise function of one tensor and numbers."""
    if len(call.inputs) != 1 or not _arguments_are_plain(call):
        return reading.unknown(call, given)
    return same(reading, call, given)


def resized(reading, call, given):
    """Pass labels on, if channels are on the axis that `data_format` says."""
    axis = channel_axis(call.operation, len(call.inputs[0].shape))
    return [Labelled(axis, reading.on(call, 0, given, axis))]


def pooled(reading, call, given):
    layer, rank = call.operation, len(call.inputs[0].shape)
    axis = channel_axis(layer, rank)
    labels = reading.on(call, 0, given, axis)
    if not layer.keepdims and axis != 1:
        axis = 1
    return [Labelled(axis, labels)]


def reduced(reading, call, given):
    operation, place = call.operation, given[0]
    rank, axes = len(call.inputs[0].shape), operation.axis
    if place is None or axes is None:
        return reading.unknown(call, given)
    axes = [axes] if isinstance(axes, int) else axes
    axes = {axis % rank for axis in axes}
    if place.axis in axes:
        return reading.unknown(call, given)
    before = sum(axis < place.axis for axis in axes)
    axis = place.axis if operation.keepdims else place.axis - before
    return [Labelled(axis, place.labels)]


def activation(reading, call, given):
    if activation_mixes(call.operation):
        reading.lock_given(call, given[0], why="it looks at all of them")
    return same(reading, call, given)


def softmax(reading, call, given):
    rank, place, axes = len(call.inputs[0].shape), given[0], call.operation.axis
    axes = [axes] if isinstance(axes, int) else axes
    if place is not None and place.axis in {axis % rank for axis in axes}:
        reading.lock_given(call, place, why="it looks at all of them")
    return [place]


def elementwise(reading, call, given):
    """Tie the channels of all inputs: of those with one index, all stay or all go."""
    shape = call.outputs[0].shape
    axes = {place.axis for place in given if place is not None}
    same_rank = all(len(tensor.shape) == len(shape) for tensor in call.inputs)
    if len(axes) != 1 or not same_rank or not _arguments_are_plain(call):
        return reading.unknown(call, given)
    (axis,) = axes
    joint: Any = None
    for k, tensor in enumerate(call.inputs):
        if tensor.shape[axis] != shape[axis]:  # one, for all channels
            reading.lock_given(call, given[k], why="it is broadcast")
            continue
        labels = reading.on(call, k, given, axis)
        if joint is not None:
            reading.labels.tie(joint, labels)
        joint = labels
    return [Labelled(axis, joint)]


def _arguments_are_plain(call) -> bool:
    """Whether besides tensors there are only numbers among the arguments."""
    leaves = keras.tree.flatten((call.arguments, dict(call.named)))
    numbers = (bool, int, float, str, type(None), keras.KerasTensor)
    return all(
        isinstance(leaf, numbers) or getattr(leaf, "shape", None) == ()
        for leaf in leaves
    )


def concatenated(reading, call, given):
    rank = len(call.outputs[0].shape)
    axis = call.operation.axis % rank
    channels = {place.axis for place in given if place is not None}
    if channels != {axis}:
        return _tied(reading, call, given)
    parts = [reading.on(call, k, given, axis) for k in range(len(given))]
    return [Labelled(axis, np.concatenate(parts))]


def _tied(reading, call, given):
    """Tie the channels of inputs that are joined along another axis, as in a sum."""
    places = {place.axis for place in given if place is not None}
    if len(places) != 1 or None in given:
        return reading.unknown(call, given)
    first = given[0]
    for place in given[1:]:
        reading.labels.tie(first.labels, place.labels)
    return [first]


def moved(reading, call, given):
    """Call the layer on labels in place of values, and see where they end up."""
    place, shape = given[0], call.inputs[0].shape
    if place is None or len(call.inputs) != 1:
        return reading.unknown(call, given)
    sizes = [1, *(size or 2 for size in shape[1:])]
    view = [1] * len(sizes)
    view[place.axis] = len(place.labels)
    try:
        call.operation.compute_output_spec(keras.KerasTensor(sizes))
    except ValueError:  # it goes by sizes that are not known
        return reading.unknown(call, given)
    numbers = np.arange(len(place.labels), dtype="int32").reshape(view)
    found = array(call.operation(np.broadcast_to(numbers, sizes).copy()))
    if found.ndim != len(call.outputs[0].shape):  # the batch is not always one
        return reading.unknown(call, given)
    for axis in reversed(range(1, found.ndim)):
        line = found[tuple(slice(None) if k == axis else 0 for k in range(found.ndim))]
        along = [1] * found.ndim
        along[axis] = len(line)
        if np.array_equal(found, np.broadcast_to(line.reshape(along), found.shape)):
            return _reshaped(reading, call, Labelled(axis, place.labels[line]))
    return reading.unknown(call, given)


def _reshaped(reading, call, place):
    for name in ("target_shape", "newshape"):
        target = getattr(call.operation, name, None)
        if target is None:
            continue
        axis = place.axis - (name == "target_shape")  # which has no batch
        config = list(target)
        if config[axis] != -1:
            config[axis] = place.labels
        reading.use(call, {}, {name: tuple(config)})
    return [place]
