"""What each kind of layer does to the channels of what it is given.

A rule is a function `(reading, call, given) -> outputs`. `given` says for each input of
the call on which axis its channels lie and which labels they have, or is None if that
is not known. `outputs` says the same for what the call returns. A layer without a rule
keeps all of its channels.
"""

from typing import Any

import keras

from perfkit.graph.altered import altered
from perfkit.graph.channel_rules import _shapes, _weights


def _unknown(reading, call, given):
    return reading.unknown(call, given)


def _altered(reading, call, given):
    return reading.unknown(call, given, why=altered(call.operation))


_OF_WEIGHTS = (
    (_weights.dense, "Dense"),
    (_weights.conv, "Conv1D Conv2D Conv3D"),
    (_weights.transposed, "Conv1DTranspose Conv2DTranspose Conv3DTranspose"),
    (_weights.depthwise, "DepthwiseConv1D DepthwiseConv2D"),
    (_weights.separable, "SeparableConv1D SeparableConv2D"),
    (_weights.embedding, "Embedding"),
    (_weights.recurrent, "LSTM GRU SimpleRNN"),
    (_weights.normalization, "BatchNormalization LayerNormalization RMSNormalization"),
    (_weights.group_normalization, "GroupNormalization"),
    (_weights.prelu, "PReLU"),
)
_WITHOUT = (
    (_shapes.activation, "Activation"),
    (_shapes.softmax, "Softmax"),
    (_shapes.same, "ReLU LeakyReLU ELU Identity GaussianNoise GaussianDropout"),
    (_shapes.same, "SpatialDropout1D SpatialDropout2D SpatialDropout3D"),
    (_shapes.dropped, "Dropout AlphaDropout"),
    (_shapes.rescaled, "Rescaling"),
    (_shapes.resized, "ZeroPadding1D ZeroPadding2D ZeroPadding3D Resizing"),
    (_shapes.resized, "Cropping1D Cropping2D Cropping3D"),
    (_shapes.resized, "UpSampling1D UpSampling2D UpSampling3D"),
    (_shapes.resized, "MaxPooling1D MaxPooling2D MaxPooling3D"),
    (_shapes.resized, "AveragePooling1D AveragePooling2D AveragePooling3D"),
    (_shapes.pooled, "GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D"),
    (_shapes.pooled, "GlobalAveragePooling1D GlobalAveragePooling2D"),
    (_shapes.pooled, "GlobalAveragePooling3D"),
    (_shapes.elementwise, "Add Subtract Multiply Average Maximum Minimum"),
    (_shapes.concatenated, "Concatenate"),
    (_shapes.moved, "Flatten Reshape Permute RepeatVector"),
)
# Those of Keras that this version of it has.
_LAYERS = {
    getattr(keras.layers, name): rule
    for rule, names in (*_OF_WEIGHTS, *_WITHOUT)
    for name in names.split()
    if hasattr(keras.layers, name)
}
# Operations of `keras.ops` in a model, by the names of their classes.
_OPERATIONS = {
    name: rule
    for rule, names in (
        (_shapes.elementwise, "Add Subtract Multiply Divide TrueDivide"),
        (_shapes.elementwise, "Maximum Minimum"),
        (_shapes.of_each, "Relu Relu6 Sigmoid Silu Swish HardSigmoid HardSilu Gelu"),
        (_shapes.of_each, "Tanh Elu LeakyRelu Softplus Negative Absolute Abs Square"),
        (_shapes.of_each, "Sqrt Exp Identity Cast"),
        (_shapes.clipped, "Clip"),
        (_shapes.reduced, "Mean Sum Max Min"),
        (_shapes.moved, "Reshape Transpose ExpandDims Squeeze"),
    )
    for name in names.split()
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
        return _weights.scale
    if getattr(operation, "keeps_channels", False):  # of perfkit, on one input
        return _shapes.same
    if altered(operation) is not None:
        return _altered
    return _LAYERS.get(kind, _unknown)  # not of a subclass, which may do anything
