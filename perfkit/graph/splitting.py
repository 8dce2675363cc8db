"""A model split into layers that are single operations of a quantized file.

Nested models are taken apart. An activation inside a layer with weights becomes a layer
of its own. A separable convolution becomes two convolutions. What multiplies by and
adds a constant for each channel (rescaling, batch normalization that cannot be folded)
becomes a depthwise convolution with kernels of one weight.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.altered import refuse_altered
from perfkit.graph.arrays import exact
from perfkit.graph.calls import Graph, read
from perfkit.graph.folding import WEIGHTED, affine, is_linear, pairs
from perfkit.graph.inlining import inlined
from perfkit.graph.naming import reserve_names
from perfkit.graph.rebuilding import copy_state, copy_values, like, one_tensor
from perfkit.graph.single_activations import SINGLE_ACTIVATIONS

_layers = keras.layers
# Layers that take many tensors, where an operation of a file takes two.
_OF_PAIRS = (_layers.Add, _layers.Multiply, _layers.Maximum, _layers.Minimum)


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """A model of single operations.

    Attributes:
        model: A new Functional model, not compiled.
        paths: For new layers with kernels: by the name of the layer, the path in the
            model that was split.
    """

    model: keras.Model
    paths: Mapping[str, str]


def split(owner: str, model, *, biases=False) -> Split:
    """Split the layers of a model into single operations, and copy their weights.

    Args:
        owner: Name of the caller, for errors.
        model: A built Functional or Sequential model; models may be nested in it.
        biases: Whether layers with weights get a bias if they have none.
    """
    graph = read(owner, model)
    if any(_are_integers(graph, tensor) for tensor in graph.inputs):
        expected = "a model that begins with a float32 `keras.Input`, since files of "
        expected += "integers take int8; quantize the network behind it"
        _check.fail(owner, "model", expected, model.name)
    refuse_altered(owner, graph)
    reserve_names(graph)
    work = _Splitting(graph, biases)
    flat = inlined(work.graph, work.make)
    for fill in work.fillers:
        fill()
    return Split(flat, work.paths)


class _Splitting:
    def __init__(self, graph: Graph, biases):
        self.graph = graph
        self.paths: dict[str, str] = {}
        self.fillers: list[Callable[[], None]] = []
        self._biases = biases
        self._folded = {id(norm) for _, norm in pairs(graph)}
        self._steps: dict[tuple, Callable] = {}
        self._names: set[str] = set()

    def make(self, path, call, *arguments, **named):
        """Make the operations of a call; the layers for a layer are made once."""
        operation = call.operation
        # A product for each channel has as many weights as there are channels.
        key = id(operation), call.inputs[0].shape[-1] if call.inputs else None
        if key not in self._steps:
            self._steps[key] = self._of(path, operation, call)
        steps = self._steps[key]
        if type(steps) is type(operation):
            return steps(*arguments, **named)
        if len(call.inputs) == 1:  # of what follows, none knows masks or training
            return steps(one_tensor(arguments, named))
        return steps(arguments[0] if arguments else named["inputs"])

    def _of(self, path, layer, call) -> Callable:
        if not isinstance(layer, keras.Layer):
            if layer.name not in self._names:
                self._names.add(layer.name)
                return layer
            return like(layer, name=self._named(path))
        rank = len(call.inputs[0].shape)
        if type(layer) in (_layers.SeparableConv1D, _layers.SeparableConv2D):
            return self._separable(path, layer)
        if type(layer) in WEIGHTED or type(layer) is _layers.EinsumDense:
            return self._weighted(path, layer)
        alone = type(layer) is _layers.BatchNormalization and (
            id(layer) not in self._folded
        )
        # Of other ranks than images, a `Reshape` makes images and takes it back.
        can_be_flat = rank == 4 or call.inputs[0].shape[1:-1].count(None) < 2
        if alone and can_be_flat and layer.axis % rank == rank - 1:
            return self._affine(path, call, layer, *affine(layer), learns=True)
        if type(layer).__name__ == "LayerScale" and _is_of_keras(layer):
            gamma = exact(layer.gamma)
            return self._affine(path, call, layer, gamma, 0.0, learns=True)
        factors = _factors(layer) if can_be_flat else None
        if factors is not None and _are_of_channels(call.inputs[0].shape, *factors):
            return self._affine(path, call, layer, *factors)
        if type(layer) is _layers.Average:
            add = self._chained(_layers.Add, path)
            return lambda tensors: add(tensors) * (1.0 / len(tensors))
        if type(layer) in _OF_PAIRS and len(call.inputs) > 2:
            return self._chained(type(layer), path)
        if type(layer) is _layers.Activation and layer.activation in SINGLE_ACTIVATIONS:
            return SINGLE_ACTIVATIONS[layer.activation]
        return self._copied(path, layer)

    def _copied(self, path, layer, **changes):
        """A new layer like one that is there."""
        new = like(layer, **changes, name=self._named(path))
        self.fillers.append(lambda: copy_values(new, layer))
        return new

    def _weighted(self, path, layer):
        linear = is_linear(layer)
        changes: dict[str, Any] = {"name": self._named(path), "activation": None}
        if self._biases and "use_bias" in layer.get_config():
            changes["use_bias"] = True
        if not linear:
            changes["activity_regularizer"] = None  # it is behind the activation
        new = like(layer, **changes)
        self.paths[new.name] = path
        self.fillers.append(lambda: _fill(new, layer))
        return new if linear else self._then(path, new, layer)

    def _separable(self, path, layer):
        one, linear = type(layer) is _layers.SeparableConv1D, is_linear(layer)
        config = layer.get_config()
        shared = {k: config[k] for k in ("data_format", "dtype", "trainable")}
        penalties = ("regularizer", "constraint")
        depthwise: Any = (_layers.DepthwiseConv1D if one else _layers.DepthwiseConv2D)(
            layer.kernel_size,
            layer.strides,
            layer.padding,
            layer.depth_multiplier,
            dilation_rate=layer.dilation_rate,
            use_bias=self._biases,
            name=self._named(f"{path}_depthwise"),
            **{f"depthwise_{k}": config[f"depthwise_{k}"] for k in penalties},
            **shared,
        )
        pointwise: Any = (_layers.Conv1D if one else _layers.Conv2D)(
            layer.filters,
            1,
            use_bias=layer.use_bias or self._biases,
            name=self._named(f"{path}_pointwise"),
            **{f"kernel_{k}": config[f"pointwise_{k}"] for k in penalties},
            **{f"bias_{k}": config[f"bias_{k}"] for k in penalties},
            activity_regularizer=config["activity_regularizer"] if linear else None,
            **shared,
        )
        self.paths[depthwise.name] = self.paths[pointwise.name] = path

        def fill():
            _assign(depthwise.kernel, layer.depthwise_kernel)
            _assign(pointwise.kernel, layer.pointwise_kernel)
            if layer.use_bias:
                _assign(pointwise.bias, layer.bias)

        self.fillers.append(fill)

        def both(x):
            return pointwise(depthwise(x))

        return both if linear else self._then(path, both, layer)

    def _then(self, path, call, old):
        """A call, and an activation as a layer of its own behind it."""
        name = f"{path}_activation"
        after: Any = SINGLE_ACTIVATIONS.get(old.activation)
        if after is None:
            after = _layers.Activation(old.activation, name=self._named(name))
        penalty = old.get_config().get("activity_regularizer")
        if penalty is None:
            return lambda x: after(call(x))
        name = self._named(f"{path}_activity")
        last: Any = _layers.Identity(activity_regularizer=penalty, name=name)
        return lambda x: last(after(call(x)))

    def _affine(self, path, call, old, scale, shift, *, learns=False):
        """A product and a sum for each channel, as a depthwise convolution."""
        channels = call.inputs[0].shape[-1]
        layer: Any = _layers.DepthwiseConv2D(
            1,
            name=self._named(path),
            trainable=learns and old.trainable,
            dtype=old.dtype_policy,
            data_format="channels_last",
        )

        def fill():
            full = np.broadcast_to(np.ravel(scale), (channels,))
            layer.kernel.assign(full.reshape(1, 1, channels, 1))
            layer.bias.assign(np.broadcast_to(np.ravel(shift), (channels,)))

        self.fillers.append(fill)

        def made(x):
            if len(x.shape) == 4:
                return layer(x)
            rest = tuple(size or -1 for size in x.shape[1:-1])
            x = _layers.Reshape((-1, 1, channels))(x)
            return _layers.Reshape((*rest, channels))(layer(x))

        return made

    def _chained(self, kind, path):
        """A sum, say, of many as sums of two, each of which has a range."""

        def made(tensors):
            total, *others = tensors
            for other in others:
                total = kind(name=self._named(path))([total, other])
            return total

        return made

    def _named(self, path):
        name, number = path.replace("/", "_"), 1
        while name in self._names:
            name = f"{path.replace('/', '_')}_{number}"
            number += 1
        self._names.add(name)
        return name


def _fill(new, old):
    """Give a layer the weights of another that have the same names."""
    for variable in new.variables:
        for value in old.variables:
            if value.name == variable.name:
                _assign(variable, value)


def _assign(variable, value):
    variable.assign(exact(value))
    copy_state(variable, value)


def _is_of_keras(layer) -> bool:
    return type(layer).__module__.startswith("keras.")


def _are_integers(graph, tensor) -> bool:
    """Whether an input is of integers that a layer multiplies, unlike tokens."""
    takers = [c.operation for c in graph.calls if any(x is tensor for x in c.inputs)]
    multiplying = (*WEIGHTED, _layers.Rescaling, _layers.Normalization)
    multiplied = any(type(layer) in multiplying for layer in takers)
    integers = not keras.backend.is_float_dtype(tensor.dtype)
    return tensor.dtype == "uint8" or (multiplied and integers)


def _factors(layer) -> tuple[Any, Any] | None:
    """What a layer without weights that learn multiplies by and adds."""
    if type(layer) is _layers.Rescaling:
        return layer.scale, layer.offset
    if type(layer) is _layers.Normalization and not layer.invert:
        deviation = np.maximum(exact(layer.variance) ** 0.5, keras.config.epsilon())
        return 1.0 / deviation, -exact(layer.mean) / deviation
    return None


def _are_of_channels(shape, *factors) -> bool:
    """Whether arrays hold one number, or one for each channel on the last axis."""
    lone = all(np.size(x) == np.shape(x)[-1] for x in factors if np.size(x) > 1)
    return lone and all(np.size(x) in (1, shape[-1]) for x in factors)
