"""What each kind of layer does to the channels of what it is given.

A rule is a function `(reading, call, given) -> outputs`. `given` says for each input of
the call on which axis its channels lie and which labels they have, or is None if that
is not known. `outputs` says the same for what the call returns. A layer without a rule
keeps all of its channels.
"""

from typing import Any

import keras
import numpy as np

from perfkit.graph.activations import activation_mixes
from perfkit.graph.altered import altered
from perfkit.graph.arrays import array
from perfkit.graph.labels import Labelled

_layers = keras.layers


def channel_axis(layer, rank) -> int:
    """Return the axis of the channels by the layer's data format."""
    first = getattr(layer, "data_format", None) == "channels_first"
    return 1 if first else rank - 1


def _dense(reading, call, given):
    layer = call.operation
    last = len(call.inputs[0].shape) - 1
    ins, outs = reading.on(call, 0, given, last), reading.made(call, layer.units)
    cuts = {"kernel": {0: ins, 1: outs}, "bias": {0: outs}}
    reading.use(call, cuts, {"units": outs}, made=outs)
    return [Labelled(last, outs)]


def _conv(reading, call, given):
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
    reading.use(call, cuts, {"filters": outs}, made=outs)
    return [Labelled(axis, outs)]


def _transposed(reading, call, given):
    layer = call.operation
    axis = channel_axis(layer, len(call.inputs[0].shape))
    ins, outs = reading.on(call, 0, given, axis), reading.made(call, layer.filters)
    cuts = {"kernel": {-2: outs, -1: ins}, "bias": {0: outs}}
    reading.use(call, cuts, {"filters": outs}, made=outs)
    return [Labelled(axis, outs)]


def _depthwise(reading, call, given):
    layer = call.operation
    axis = channel_axis(layer, len(call.inputs[0].shape))
    ins = reading.on(call, 0, given, axis)
    outs = np.repeat(ins, layer.depth_multiplier)
    reading.use(call, {"kernel": {-2: ins}, "bias": {0: outs}})
    _mixed(reading, call, outs)
    return [Labelled(axis, outs)]


def _separable(reading, call, given):
    layer = call.operation
    axis = channel_axis(layer, len(call.inputs[0].shape))
    ins, outs = reading.on(call, 0, given, axis), reading.made(call, layer.filters)
    between = np.repeat(ins, layer.depth_multiplier)
    cuts = {
        "depthwise_kernel": {-2: ins},
        "pointwise_kernel": {-2: between, -1: outs},
        "bias": {0: outs},
    }
    reading.use(call, cuts, {"filters": outs}, made=outs)
    return [Labelled(axis, outs)]


def _mixed(reading, call, labels):
    """Lock channels if the activation of their layer looks at several of them."""
    if activation_mixes(call.operation):
        reading.lock(call, labels, why="its activation looks at all of them")


def _embedding(reading, call, given):  # noqa: ARG001
    layer = call.operation
    outs = reading.made(call, layer.output_dim)
    cuts = {"embeddings": {1: outs}}
    if layer.mask_zero:
        reading.lock(call, outs, why="what follows may depend on its mask")
    reading.use(call, cuts, {"output_dim": outs}, made=outs)
    return [Labelled(len(call.outputs[0].shape) - 1, outs)]


def _recurrent(reading, call, given):
    last = len(call.inputs[0].shape) - 1
    ins = reading.on(call, 0, given, last)
    for extra in range(1, len(call.inputs)):
        reading.lock_given(call, given[extra], why="it is a state")
    reading.use(call, {"kernel": {0: ins}})
    return reading.kept(call, why="its units depend on each other")


def _normalization(reading, call, given):
    layer = call.operation
    rank = len(call.inputs[0].shape)
    axes: Any = layer.axis
    axes = [axes] if isinstance(axes, int) else list(axes)
    if len(axes) != 1:
        return _unknown(reading, call, given)
    axis = axes[0] % rank
    ins = reading.on(call, 0, given, axis)
    names = ("gamma", "beta", "scale", "moving_mean", "moving_variance")
    reading.use(call, {name: {0: ins} for name in names})
    return [Labelled(axis, ins)]


def _group_normalization(reading, call, given):
    layer = call.operation
    axis = layer.axis % len(call.inputs[0].shape)
    if layer.groups not in (-1, 1, call.inputs[0].shape[axis]):
        return _unknown(reading, call, given)
    ins = reading.on(call, 0, given, axis)
    own = layer.groups not in (-1, 1)
    config = {"groups": ins} if own else {}
    reading.use(call, {"gamma": {0: ins}, "beta": {0: ins}}, config)
    return [Labelled(axis, ins)]


def _scale(reading, call, given):
    """A weight for each channel on the last axis."""
    if getattr(call.operation, "axis", -1) != -1:
        return _unknown(reading, call, given)
    ins = reading.on(call, 0, given, len(call.inputs[0].shape) - 1)
    config = (
        {"projection_dim": ins} if hasattr(call.operation, "projection_dim") else {}
    )
    (weight,) = call.operation.weights  # without a name of its own in Keras
    reading.use(call, {weight.name: {0: ins}}, config)
    return [Labelled(len(call.inputs[0].shape) - 1, ins)]


def _prelu(reading, call, given):
    place, shared = given[0], call.operation.shared_axes or ()
    if place is None:
        return _unknown(reading, call, given)
    if place.axis not in shared:
        reading.use(call, {"alpha": {place.axis - 1: place.labels}})
    return [place]


def _same(reading, call, given):  # noqa: ARG001
    """Pass labels on; channels stay on their axis."""
    return [given[0]] * len(call.outputs)


def _dropped(reading, call, given):
    if any(size not in (None, 1) for size in call.operation.noise_shape or ()):
        return _unknown(reading, call, given)  # perhaps a number of channels
    return _same(reading, call, given)


def _rescaled(reading, call, given):
    layer = call.operation
    return _of_numbers(reading, call, given, layer.scale, layer.offset)


def _clipped(reading, call, given):
    bounds = call.operation.x_min, call.operation.x_max
    return _of_numbers(reading, call, given, *bounds)


def _of_numbers(reading, call, given, *held):
    """Pass on what comes unless something is held for each channel."""
    rule = _unknown if any(map(np.ndim, held)) else _same
    return rule(reading, call, given)


def _of_each(reading, call, given):
    """Pass labels on through an elementwise function of one tensor and numbers."""
    if len(call.inputs) != 1 or not _arguments_are_plain(call):
        return _unknown(reading, call, given)
    return _same(reading, call, given)


def _resized(reading, call, given):
    """Pass labels on, if channels are on the axis that `data_format` says."""
    axis = channel_axis(call.operation, len(call.inputs[0].shape))
    return [Labelled(axis, reading.on(call, 0, given, axis))]


def _pooled(reading, call, given):
    layer, rank = call.operation, len(call.inputs[0].shape)
    axis = channel_axis(layer, rank)
    labels = reading.on(call, 0, given, axis)
    if not layer.keepdims and axis != 1:
        axis = 1
    return [Labelled(axis, labels)]


def _reduced(reading, call, given):
    operation, place = call.operation, given[0]
    rank, axes = len(call.inputs[0].shape), operation.axis
    if place is None or axes is None:
        return _unknown(reading, call, given)
    axes = [axes] if isinstance(axes, int) else axes
    axes = {axis % rank for axis in axes}
    if place.axis in axes:
        return _unknown(reading, call, given)
    before = sum(axis < place.axis for axis in axes)
    axis = place.axis if operation.keepdims else place.axis - before
    return [Labelled(axis, place.labels)]


def _activation(reading, call, given):
    if activation_mixes(call.operation):
        reading.lock_given(call, given[0], why="it looks at all of them")
    return _same(reading, call, given)


def _softmax(reading, call, given):
    rank, place, axes = len(call.inputs[0].shape), given[0], call.operation.axis
    axes = [axes] if isinstance(axes, int) else axes
    if place is not None and place.axis in {axis % rank for axis in axes}:
        reading.lock_given(call, place, why="it looks at all of them")
    return [place]


def _elementwise(reading, call, given):
    """Tie the channels of all inputs: of those with one index, all stay or all go."""
    shape = call.outputs[0].shape
    axes = {place.axis for place in given if place is not None}
    same_rank = all(len(tensor.shape) == len(shape) for tensor in call.inputs)
    if len(axes) != 1 or not same_rank or not _arguments_are_plain(call):
        return _unknown(reading, call, given)
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


def _concatenated(reading, call, given):
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
        return _unknown(reading, call, given)
    first = given[0]
    for place in given[1:]:
        reading.labels.tie(first.labels, place.labels)
    return [first]


def _moved(reading, call, given):
    """Call the layer on labels in place of values, and see where they end up."""
    place, shape = given[0], call.inputs[0].shape
    if place is None or len(call.inputs) != 1:
        return _unknown(reading, call, given)
    sizes = [1, *(size or 2 for size in shape[1:])]
    view = [1] * len(sizes)
    view[place.axis] = len(place.labels)
    try:
        call.operation.compute_output_spec(keras.KerasTensor(sizes))
    except ValueError:  # it goes by sizes that are not known
        return _unknown(reading, call, given)
    numbers = np.arange(len(place.labels), dtype="int32").reshape(view)
    moved = array(call.operation(np.broadcast_to(numbers, sizes).copy()))
    for axis in reversed(range(1, moved.ndim)):
        line = moved[tuple(slice(None) if k == axis else 0 for k in range(moved.ndim))]
        along = [1] * moved.ndim
        along[axis] = len(line)
        if np.array_equal(moved, np.broadcast_to(line.reshape(along), moved.shape)):
            return _reshaped(reading, call, Labelled(axis, place.labels[line]))
    return _unknown(reading, call, given)


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


def _unknown(reading, call, given):
    return reading.unknown(call, given)


def _altered(reading, call, given):
    return reading.unknown(call, given, why=altered(call.operation))


def _kinds(*names) -> tuple[type, ...]:
    """Classes of Keras layers, those that this version of Keras has."""
    return tuple(getattr(_layers, name) for name in names if hasattr(_layers, name))


_RULES: tuple[tuple[tuple[type, ...], Any], ...] = (
    (_kinds("Dense"), _dense),
    (_kinds("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed),
    (_kinds("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise),
    (_kinds("SeparableConv1D", "SeparableConv2D"), _separable),
    (_kinds("Conv1D", "Conv2D", "Conv3D"), _conv),
    (_kinds("Embedding"), _embedding),
    (_kinds("LSTM", "GRU", "SimpleRNN"), _recurrent),
    (_kinds("BatchNormalization", "LayerNormalization"), _normalization),
    (_kinds("RMSNormalization"), _normalization),
    (_kinds("GroupNormalization"), _group_normalization),
    (_kinds("PReLU"), _prelu),
    (_kinds("Activation"), _activation),
    (_kinds("Softmax"), _softmax),
    (_kinds("ReLU", "LeakyReLU", "ELU", "Identity"), _same),
    (_kinds("Dropout", "AlphaDropout"), _dropped),
    (_kinds("Rescaling"), _rescaled),
    (_kinds("GaussianNoise", "GaussianDropout"), _same),
    (_kinds("SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D"), _same),
    (_kinds("ZeroPadding1D", "Cropping1D", "UpSampling1D"), _resized),
    (_kinds("ZeroPadding2D", "ZeroPadding3D", "Cropping2D", "Cropping3D"), _resized),
    (_kinds("UpSampling2D", "UpSampling3D", "Resizing"), _resized),
    (_kinds("MaxPooling1D", "MaxPooling2D", "MaxPooling3D"), _resized),
    (_kinds("AveragePooling1D", "AveragePooling2D", "AveragePooling3D"), _resized),
    (_kinds("GlobalMaxPooling1D", "GlobalMaxPooling2D"), _pooled),
    (_kinds("GlobalMaxPooling3D", "GlobalAveragePooling3D"), _pooled),
    (_kinds("GlobalAveragePooling1D", "GlobalAveragePooling2D"), _pooled),
    (_kinds("Add", "Subtract", "Multiply", "Average"), _elementwise),
    (_kinds("Maximum", "Minimum"), _elementwise),
    (_kinds("Concatenate"), _concatenated),
    (_kinds("Flatten", "Reshape", "Permute", "RepeatVector"), _moved),
)
_LAYERS = {kind: rule for kinds, rule in _RULES for kind in kinds}
# Operations of `keras.ops` in a model, by the names of their classes.
_OPERATIONS = {
    **dict.fromkeys(["Add", "Subtract", "Multiply", "Divide"], _elementwise),
    **dict.fromkeys(["TrueDivide", "Maximum", "Minimum"], _elementwise),
    **dict.fromkeys(["Relu", "Relu6", "Sigmoid", "Silu", "HardSigmoid"], _of_each),
    **dict.fromkeys(["HardSilu", "Gelu", "Tanh", "Elu", "LeakyRelu"], _of_each),
    **dict.fromkeys(["Softplus", "Swish", "Negative", "Absolute", "Abs"], _of_each),
    **dict.fromkeys(["Square", "Sqrt", "Exp", "Identity", "Cast"], _of_each),
    "Clip": _clipped,
    **dict.fromkeys(["Mean", "Sum", "Max", "Min"], _reduced),
    **dict.fromkeys(["Reshape", "Transpose", "ExpandDims", "Squeeze"], _moved),
}
# Of Keras and perfkit, with a weight `gamma` for each channel.
_SCALES = {"LayerScale"}


def rule_of(operation) -> Any:
    """Return the rule for a layer or operation."""
    kind = type(operation)
    ours = kind.__module__.startswith(("keras.", "perfkit."))
    if not isinstance(operation, keras.Layer):
        return _OPERATIONS.get(kind.__name__, _unknown) if ours else _unknown
    if kind.__name__ in _SCALES and ours:
        return _scale
    if getattr(operation, "keeps_channels", False):  # of perfkit, on one input
        return _same
    if altered(operation) is not None:
        return _altered
    return _LAYERS.get(kind, _unknown)  # not of a subclass, which may do anything
