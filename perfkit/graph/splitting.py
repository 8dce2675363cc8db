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
from perfkit.graph.arrays import exact
from perfkit.graph.calls import Graph, read
from perfkit.graph.folding import WEIGHTED, affine, is_linear, pairs
from perfkit.graph.inlining import inlined
from perfkit.graph.rebuilding import copy_state, copy_values, like

_layers = keras.layers


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
    if any(tensor.dtype == "uint8" for tensor in graph.inputs):
        expected = "a model that begins with a float32 `keras.Input`, since files of "
        expected += "integers take int8; quantize the network behind it"
        _check.fail(owner, "model", expected, model.name)
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
        self._steps: dict[int, Callable] = {}
        self._names: set[str] = set()

    def make(self, path, call, *arguments, **named):
        """Make the operations of a call; the layers for a layer are made once."""
        operation = call.operation
        if not isinstance(operation, keras.Layer):
            return operation(*arguments, **named)
        if id(operation) not in self._steps:
            self._steps[id(operation)] = self._of(path, operation, call)
        steps = self._steps[id(operation)]
        if isinstance(steps, keras.Layer) and type(steps) is type(operation):
            return steps(*arguments, **named)
        return steps(*arguments)  # which know no masks and no training

    def _of(self, path, layer, call) -> Callable:
        rank = len(call.inputs[0].shape)
        if type(layer) in (_layers.SeparableConv1D, _layers.SeparableConv2D):
            return self._separable(path, layer)
        if type(layer) in WEIGHTED or type(layer) is _layers.EinsumDense:
            return self._weighted(path, layer)
        alone = type(layer) is _layers.BatchNormalization and (
            id(layer) not in self._folded
        )
        if alone and layer.axis % rank == rank - 1:
            return self._affine(path, call, layer, *affine(layer), learns=True)
        if type(layer) is _layers.Rescaling:
            return self._affine(path, call, layer, layer.scale, layer.offset)
        if type(layer) is _layers.Normalization and not layer.invert:
            deviation = np.maximum(exact(layer.variance) ** 0.5, keras.config.epsilon())
            mean = exact(layer.mean)
            ends = 1.0 / deviation, -mean / deviation
            return self._affine(path, call, layer, *ends)
        if type(layer).__name__ == "LayerScale" and _is_of_keras(layer):
            gamma = exact(layer.gamma)
            return self._affine(path, call, layer, gamma, 0.0, learns=True)
        if type(layer) is _layers.Average:
            return _average
        if type(layer) is _layers.Activation and layer.activation in _ACTIVATIONS:
            return _ACTIVATIONS[layer.activation]
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
        after: Any = _ACTIVATIONS.get(old.activation)
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
        shape = call.inputs[0].shape
        channels, spatial = shape[-1], len(shape) == 4
        layer: Any = _layers.DepthwiseConv2D(
            1,
            name=self._named(path),
            trainable=learns and old.trainable,
            dtype=old.dtype_policy,
        )

        def fill():
            full = np.broadcast_to(np.ravel(scale), (channels,))
            layer.kernel.assign(full.reshape(1, 1, channels, 1))
            layer.bias.assign(np.broadcast_to(np.ravel(shift), (channels,)))

        self.fillers.append(fill)
        if spatial:
            return layer
        rest = tuple(size or -1 for size in shape[1:-1])

        def call_flat(x):
            x = _layers.Reshape((-1, 1, channels))(x)
            return _layers.Reshape((*rest, channels))(layer(x))

        return call_flat

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


def _average(tensors):
    return _layers.Add()(tensors) * (1.0 / len(tensors))


def _hard_sigmoid(x):
    return _layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)


def _hard_silu(x):
    return x * _hard_sigmoid(x)


def _relu(x):
    return _layers.ReLU()(x)


def _relu6(x):
    return _layers.ReLU(6.0)(x)


# Activations that are made of several operations, or are a layer of their own.
_ACTIVATIONS: dict[Any, Callable] = {
    keras.activations.hard_sigmoid: _hard_sigmoid,
    keras.activations.hard_silu: _hard_silu,
    keras.activations.relu: _relu,
    keras.activations.relu6: _relu6,
}
