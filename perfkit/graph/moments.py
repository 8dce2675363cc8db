"""Mean and variance of each channel inside a model, without data.

Batch normalization knows both for what it returns. From there they are computed through
the layers behind, as if channels were normally distributed and independent.
"""

import dataclasses
import functools

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.activations import activation_mixes
from perfkit.graph.arrays import exact
from perfkit.graph.calls import read
from perfkit.graph.folding import WEIGHTED
from perfkit.graph.resting import rests

_GRID = np.linspace(-6.0, 6.0, 241)
_DENSITY = np.exp(-(_GRID**2) / 2) / np.exp(-(_GRID**2) / 2).sum()
_SIGMAS = 6.0
# Layers and operations that compute with each value by itself.
_OF_EACH = {
    *("ReLU", "LeakyReLU", "Add", "Multiply", "Subtract", "Divide", "TrueDivide"),
    *("Relu", "Relu6", "LeakyRelu", "Gelu", "Silu", "HardSilu", "Sigmoid", "Tanh"),
    *("HardSigmoid", "Negative", "Clip"),
}
# Those that move and choose values, or take means of them.
_KEEPING = {
    *("Identity", "Flatten", "Reshape", "Permute", "RepeatVector", "Transpose"),
    *("ExpandDims", "Squeeze", "GetItem", "Mean", "PReLU", "Resizing"),
    *("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
    *("AveragePooling1D", "AveragePooling2D"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D"),
    *("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D"),
    *("UpSampling1D", "UpSampling2D"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Moments:
    """What is known of a tensor.

    Attributes:
        mean: Of each channel.
        variance: Of each channel.
        low: Least value there can be, as far as 6 deviations reach.
        high: Greatest value there can be.
    """

    mean: np.ndarray
    variance: np.ndarray
    low: float = -np.inf
    high: float = np.inf

    @property
    def range(self) -> tuple[float, float]:
        """Range that leaves next to nothing out: 6 deviations of each channel."""
        reach = _SIGMAS * np.sqrt(self.variance)
        low = self.low if np.isfinite(self.low) else (self.mean - reach).min()
        high = self.high if np.isfinite(self.high) else (self.mean + reach).max()
        return float(low), float(high)


def moments(owner: str, model, inputs) -> dict[str, Moments]:
    """Return the moments of what layers and operations return, by their names.

    Args:
        owner: Name of the caller, for errors.
        model: A model of single operations: see `graph.splitting`.
        inputs: `Moments` of the inputs of the model, the same for all of them.
    """
    graph = read(owner, model)
    known: dict[int, Moments] = {}
    for tensor in graph.inputs:
        channels = (tensor.shape[-1],) if len(tensor.shape) > 1 else (1,)
        mean, variance = (np.full(channels, x) for x in (inputs.mean, inputs.variance))
        known[id(tensor)] = Moments(mean, variance, inputs.low, inputs.high)
    found = {}
    for call in graph.calls:
        given = [known[id(tensor)] for tensor in call.inputs if id(tensor) in known]
        made = _of(call, given)
        if made is None:
            layer = call.operation
            expected = "given; without data nothing is known of the range of what "
            expected += f"{layer.name} ({type(layer).__name__}) returns"
            _check.fail(owner, "data", expected, None)
        for tensor in call.outputs:
            known[id(tensor)] = fitted(made, tensor.shape[-1])
        found[call.operation.name] = known[id(call.outputs[0])]
    return found


def weighted_mean(layer, kernel, mean) -> np.ndarray:
    """Return the mean of a layer's output channels from that of its input channels.

    Without the bias.

    Args:
        layer: A layer with a kernel.
        kernel: What it multiplies by.
        mean: Of each channel that it takes.
    """
    if isinstance(layer, (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)):
        total = kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)
        return (total * np.reshape(mean, (-1, 1))).ravel()
    if "Transpose" in type(layer).__name__:
        kernel = np.swapaxes(kernel, -1, -2)
        # Of each output only some weights see inputs.
        kernel = kernel / np.prod(layer.strides)
    total = kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)
    ins = total.shape[0]
    groups = max(1, len(mean) // ins)
    if groups == 1:
        return np.asarray(mean) @ total
    outs = total.shape[1] // groups
    return np.concatenate(
        [
            mean[k * ins : (k + 1) * ins] @ total[:, k * outs : (k + 1) * outs]
            for k in range(groups)
        ]
    )


def _of(call, given: list[Moments]) -> Moments | None:
    """Moments of what a call returns, or None if no rule is known."""
    layer, kind = call.operation, type(call.operation).__name__
    first = given[0]
    if type(layer) in WEIGHTED:
        kernel = exact(layer.kernel)
        bias = exact(layer.bias) if layer.use_bias else 0.0
        mean = weighted_mean(layer, kernel, first.mean) + bias
        return Moments(mean, weighted_mean(layer, kernel**2, first.variance))
    if kind == "BatchNormalization":
        mean = exact(layer.beta) if layer.center else np.zeros(len(first.mean))
        scale = exact(layer.gamma) if layer.scale else np.ones(len(first.mean))
        return Moments(mean, scale**2)
    if kind in ("Add", "Subtract") and len(given) > 1:
        signs = [1.0, *([-1.0 if kind == "Subtract" else 1.0] * (len(given) - 1))]
        pairs = list(zip(signs, given, strict=True))
        mean = sum(sign * one.mean for sign, one in pairs)
        variance = np.asarray(sum(one.variance for one in given))
        ends = [(x.low, x.high) if s > 0 else (-x.high, -x.low) for s, x in pairs]
        return Moments(np.asarray(mean), variance, *map(sum, zip(*ends, strict=True)))
    if kind == "Multiply" and len(given) > 1:
        return functools.reduce(_product, given)
    if kind == "Concatenate":
        parts = [(one.mean, one.variance) for one in given]
        mean, variance = (np.concatenate(x) for x in zip(*parts, strict=True))
        low = min(one.low for one in given)
        return Moments(mean, variance, low, max(one.high for one in given))
    if kind in ("Maximum", "Minimum"):
        spread = np.maximum.reduce([one.variance for one in given])
        choose = np.maximum if kind == "Maximum" else np.minimum
        return Moments(choose.reduce([one.mean for one in given]), spread)
    if len(given) == 1 and _is_of_each(call):
        return _through(call, first)
    if kind in ("Softmax", "Activation"):  # one of them is 1, as if by chance
        share = np.full(len(first.mean), 1.0 / len(first.mean))
        return Moments(share, share * (1.0 - share), 0.0, 1.0)
    keeps = kind in _KEEPING or getattr(layer, "keeps_channels", False) or rests(layer)
    return first if keeps else None


def _product(one: Moments, other: Moments) -> Moments:
    mean = one.mean * other.mean
    square = (one.variance + one.mean**2) * (other.variance + other.mean**2)
    ends = [one.low, one.high], [other.low, other.high]
    if not np.isfinite(ends).all():
        return Moments(mean, square - mean**2)
    bounds = np.outer(*ends)
    return Moments(mean, square - mean**2, float(bounds.min()), float(bounds.max()))


def _is_of_each(call) -> bool:
    """Whether a call is a function of one value, and of that alone."""
    if isinstance(call.operation, keras.layers.Activation):
        return not activation_mixes(call.operation)
    return type(call.operation).__name__ in _OF_EACH


def _through(call, moments: Moments) -> Moments:
    """Return the moments behind an elementwise function, by a sum over a grid."""
    deviation = np.sqrt(moments.variance)[:, None]
    x = np.clip(moments.mean[:, None] + deviation * _GRID, moments.low, moments.high)
    leaves = [
        x.astype("float32") if isinstance(leaf, keras.KerasTensor) else leaf
        for leaf in keras.tree.flatten((call.arguments, dict(call.named)))
    ]
    given = (call.arguments, dict(call.named))
    arguments, named = keras.tree.pack_sequence_as(given, leaves)
    y = exact(call.operation(*arguments, **named))
    mean = y @ _DENSITY
    variance = np.maximum((y**2) @ _DENSITY - mean**2, 0.0)
    return Moments(mean, variance, float(y.min()), float(y.max()))


def fitted(moments: Moments, channels) -> Moments:
    """Return moments repeated, or averaged, to the number of channels of a tensor."""
    count = len(moments.mean)
    if channels is None or channels == count:
        return moments
    if channels % count == 0:
        repeats = channels // count
        mean, variance = (np.tile(x, repeats) for x in (moments.mean, moments.variance))
    else:
        mean = np.full(channels, moments.mean.mean())
        variance = np.full(channels, moments.variance.mean() + moments.mean.var())
    return dataclasses.replace(moments, mean=mean, variance=variance)
