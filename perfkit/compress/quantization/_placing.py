"""Where a quantized file rounds, as layers in a model of single operations.

A convolution, the batch normalization and the ReLU behind it become one operation in
the file, so they are rounded once, at the end. What only moves or chooses values
(max pooling, a reshape) keeps their levels and is not rounded again. Nor is what goes
into a concatenation and nowhere else: that is rounded behind it.
"""

from collections.abc import Callable
from typing import Any

import keras

from perfkit import _check
from perfkit.compress.quantization.fake_quantization import FakeQuantization
from perfkit.compress.quantization.quantized_kernel import QuantizedKernel
from perfkit.compress.reparameterized import Reparameterized
from perfkit.graph.calls import Graph, read
from perfkit.graph.folding import WEIGHTED
from perfkit.graph.inlining import inlined
from perfkit.graph.rebuilding import copy_values, like
from perfkit.graph.resting import rests

_layers = keras.layers
_PROBABILITY = (0.0, 255.0 / 256.0)
# Operations whose levels the runtime prescribes.
_FIXED = {
    **dict.fromkeys(["sigmoid", "Sigmoid", "softmax"], _PROBABILITY),
    **dict.fromkeys(["tanh", "Tanh"], (-1.0, 127.0 / 128.0)),
}
# Kinds of calls that have an integer form: the names of classes of layers and of
# operations, and of activations.
_PASSING = {
    *("linear", "Identity", "Flatten", "Reshape", "Permute", "RepeatVector"),
    *("MaxPooling1D", "MaxPooling2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D"),
    *("ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D", "UpSampling1D"),
    *("Transpose", "ExpandDims", "Squeeze", "GetItem"),
}
_OF_SAME_RANGE = {"AveragePooling1D", "AveragePooling2D", "UpSampling2D", "Resizing"}
_BEFORE_RELU = {"BatchNormalization", "Add", "Subtract", "Multiply"}
_ROUNDED = {
    *_BEFORE_RELU,
    *("relu", "relu6", "leaky_relu", "gelu", "silu", "hard_silu"),
    *("Relu", "Relu6", "LeakyRelu", "Gelu", "Silu", "HardSilu"),
    *("ReLU", "LeakyReLU", "PReLU", "Maximum", "Minimum", "Concatenate"),
    *("GlobalAveragePooling1D", "GlobalAveragePooling2D", "Mean"),
}


def quantized(
    owner: str,
    split_model,
    paths,
    *,
    transforms,
    bits_of: Callable[[str], int],
    per_channel,
    momentum,
    strict,
    verbose,
) -> keras.Model:
    """Return a new model with fake quantization in it, and the same weights.

    Args:
        owner: Name of the caller, for errors.
        split_model: A model of single operations: see `graph.splitting`.
        paths: Paths of its layers in the model that was split, by name.
        transforms: What acts on kernels before they are rounded, by the same paths.
        bits_of: Function of the path of a layer with weights: the bits of these.
        per_channel: Whether output units have ranges of their own.
        momentum: How much of the range of a tensor stays at each batch.
        strict: Whether it is an error if a layer has no integer form.
        verbose: Whether to print which layers have none.
    """
    graph = read(owner, split_model)
    floats = {
        paths.get(call.operation.name, call.operation.name): _kind(call)
        for call in graph.calls
        if not _is_known(call)
    }
    names = ", ".join(f"{path} ({kind})" for path, kind in floats.items())
    if floats and strict:
        expected = f"made of layers that have an integer form; not so: {names}. With "
        expected += "strict=False these stay in float, with conversions around them"
        _check.fail(owner, "model", expected, split_model.name)
    if floats and verbose:
        print(f"left in float: {names}")
    work = _Placing(graph, paths, transforms, bits_of, per_channel, momentum)
    new = inlined(graph, work.make, work.begin)
    for old, layer in work.made:
        copy_values(layer, old)
    return new


class _Placing:
    def __init__(self, graph: Graph, paths, transforms, bits_of, per_channel, momentum):
        self.made: list[tuple[Any, Any]] = []
        self._graph = graph
        self._paths, self._transforms, self._bits_of = paths, transforms, bits_of
        self._per_channel, self._momentum = per_channel, momentum
        self._layers: dict[int, Any] = {}
        self._ranges: dict[int, Any] = {}  # layers, by the tensors that were read
        self._inputs = 0
        self._times: dict[str, int] = {}  # how often a layer was called
        self._ends = set(map(id, graph.outputs))

    def begin(self, old, new):
        """Round what the model is given, but for numbers of tokens."""
        takers = [c for c in self._graph.calls if any(x is old for x in c.inputs)]
        tokens = all(isinstance(c.operation, _layers.Embedding) for c in takers)
        if tokens or not keras.backend.is_float_dtype(old.dtype):
            return new
        self._inputs += 1
        return self._rounded(f"input_{self._inputs}", None, old, new)

    def make(self, path, call, *arguments, **named):  # noqa: ARG002
        outputs = self._layer(call.operation)(*arguments, **named)
        kind, (tensor, *others) = _kind(call), call.outputs
        if not others:
            (outputs,) = keras.tree.flatten(outputs)  # it may be in a dict
        if others or not keras.backend.is_float_dtype(tensor.dtype):
            return outputs
        before = self._ranges.get(id(call.inputs[0])) if call.inputs else None
        if before is not None and _passes(call):
            self._ranges[id(tensor)] = before
            # The converter carries integers past it to layers that take floats.
            to_float = not all(map(_is_known, self._graph.consumers(call)))
            return before(outputs, training=False) if to_float else outputs
        if before is not None and kind in _OF_SAME_RANGE:
            self._ranges[id(tensor)] = before
            return before(outputs, training=False)
        if self._is_joined(call):
            return outputs
        name = call.operation.name
        return self._rounded(name, _FIXED.get(kind), tensor, outputs)

    def _rounded(self, name, fixed, old, new):
        times = self._times.setdefault(name, 0)
        self._times[name] += 1
        suffix = f"_range_{times}" if times else "_range"
        fake = FakeQuantization(
            momentum=self._momentum, fixed=fixed, name=f"{name}{suffix}"
        )
        self._ranges[id(old)] = fake
        return fake(new)

    def _layer(self, operation):
        if not isinstance(operation, keras.Layer):
            return operation
        if id(operation) not in self._layers:
            new: Any = self._copied(operation)
            if has_kernel(operation):
                path = self._paths.get(operation.name)
                bits = 8 if path is None else self._bits_of(path)
                per_channel = self._per_channel and takes_channels(operation, bits)
                before = map(self._copied, self._transforms.get(path, ()))
                kernel = QuantizedKernel(bits, per_channel=per_channel)
                new = Reparameterized(new, [*before, kernel], name=operation.name)
            self._layers[id(operation)] = new
        return self._layers[id(operation)]

    def _copied(self, layer):
        new = like(layer)
        self.made.append((layer, new))
        return new

    def _is_joined(self, call) -> bool:
        """Whether the one taker of a tensor is the same operation in the file."""
        consumers = self._graph.consumers(call)
        if len(consumers) != 1 or id(call.outputs[0]) in self._ends:
            return False
        after, layer = consumers[0], call.operation
        if _kind(after) == "Concatenate":
            return True
        if has_kernel(layer) and type(after.operation) is _layers.BatchNormalization:
            return True
        before_relu = has_kernel(layer) or _kind(call) in _BEFORE_RELU
        return before_relu and _is_relu(after.operation)


def has_kernel(layer) -> bool:
    """Whether a layer multiplies what it takes by a kernel that can be rounded."""
    three = (_layers.Conv3D, _layers.Conv3DTranspose)  # which are float in files
    return type(layer) in (*WEIGHTED, _layers.EinsumDense) and type(layer) not in three


def takes_channels(layer, bits) -> bool:
    """Whether the converter writes weights of so few bits with a range per channel."""
    if bits == 8 or type(layer) is _layers.Conv2D:
        return True
    return type(layer) is _layers.DepthwiseConv2D and layer.depth_multiplier == 1


def _kind(call) -> str:
    """Name of the class of what is called, or of its activation."""
    layer = call.operation
    if type(layer) is _layers.Activation:
        name = getattr(layer.activation, "__name__", "")
        of_keras = getattr(keras.activations, name, None) is layer.activation
        return name if of_keras else "activation of its own"
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return type(layer).__name__


def _is_known(call) -> bool:
    if has_kernel(call.operation):
        return True
    ours = type(call.operation).__module__.startswith(("keras.", "perfkit."))
    kinds = _OF_SAME_RANGE | _ROUNDED | set(_FIXED)
    known = ours and (_passes(call) or _kind(call) in kinds)
    return known and _is_set_as_known(call)


def _is_set_as_known(call) -> bool:
    """Whether the settings of a layer are those that have an integer form."""
    layer = call.operation
    match type(layer).__name__:
        case "ReLU":
            return _is_relu(layer) or (layer.max_value is None and not layer.threshold)
        case "BatchNormalization":
            rank = len(call.inputs[0].shape)
            return layer.axis % rank == rank - 1
        case "Resizing" | "UpSampling2D":
            plain = layer.interpolation in ("nearest", "bilinear")
            return plain and not getattr(layer, "antialias", False)
    return True


def _passes(call) -> bool:
    """Whether at inference a call only moves or chooses the values it is given."""
    layer = call.operation
    moves = _kind(call) in _PASSING or getattr(layer, "keeps_channels", False)
    return moves or rests(layer)


def _is_relu(operation) -> bool:
    if type(operation) is _layers.ReLU:
        bounded = operation.max_value in (None, 6.0)
        return bounded and not operation.negative_slope and not operation.threshold
    return type(operation).__name__ in ("Relu", "Relu6")
