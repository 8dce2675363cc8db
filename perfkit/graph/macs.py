"""The cost of a prediction in multiply-accumulates: products that are added up."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from perfkit.graph.kernels import own_kernels
from perfkit.graph.layer_calls import LayerCall, layer_calls, own_inputs

_layers = keras.layers


class Macs(NamedTuple):
    """What `macs` counts.

    Attributes:
        total: Multiply-accumulates of one sample.
        uncounted: Names of the layers that own matrices but are of an unknown kind.
    """

    total: int
    uncounted: tuple[str, ...]


def macs(model, inputs=None) -> Macs:
    """Count the multiply-accumulates of one sample on its way through a model.

    It counts dense, convolution and recurrent layers and the products of attention, as
    often as a layer is called, also inside other layers and models of any class.
    Biases, activations, normalization, pooling and embeddings are not counted, as is
    the custom.

    Args:
        model: A built `keras.Model`.
        inputs: What it is called on, a batch, of which the shapes and dtypes count:
            arrays or `keras.KerasTensor`. By default what the model says that it takes.

    Raises:
        ValueError: If the model does not say what sizes it takes, and no `inputs` are
            given.
    """
    inputs = own_inputs("macs", model) if inputs is None else inputs
    calls, _ = layer_calls(model, inputs)
    counts = [(call.layer.name, of_call(call)) for call in calls]
    of_batch = sum(count for _, count in counts if count is not None)
    uncounted = dict.fromkeys(name for name, count in counts if count is None)
    return Macs(of_batch // keras.tree.flatten(inputs)[0].shape[0], tuple(uncounted))


def of_call(call: LayerCall) -> int | None:
    """Count the multiply-accumulates of a call, of its whole batch.

    Without those of the layers inside, whose calls are others. `None` if the layer owns
    matrices and is of an unknown kind.
    """
    rule = _rule(call.layer)
    if rule is not None:
        return call.times * rule(call)
    return None if _has_own_matrices(call.layer) else 0


def _rule(layer) -> Callable[[LayerCall], int] | None:
    return next((rule for kinds, rule in _RULES if isinstance(layer, kinds)), None)


def _has_own_matrices(layer):
    keras_own = type(layer).__module__.startswith("keras.")
    return not keras_own and bool(own_kernels(layer, exactly=True))


def _dense(call):
    return math.prod(call.outputs) * call.argument(0, "inputs")[-1]


def _einsum(call):
    labels, of_kernel = call.layer.equation.split("->")[0].split(",")
    sizes = zip(of_kernel, call.layer.kernel.shape, strict=True)
    new = [size for label, size in sizes if label not in labels]
    return math.prod(call.argument(0, "inputs")) * math.prod(new)


def _conv(call):
    return math.prod(call.outputs) * math.prod(call.layer.kernel.shape[:-1])


def _depthwise(call):
    return math.prod(call.outputs) * math.prod(call.layer.kernel_size)


def _separable(call):
    layer = call.layer
    weights = math.prod(layer.depthwise_kernel.shape)
    weights += math.prod(layer.pointwise_kernel.shape)
    return math.prod(call.outputs) // layer.filters * weights


def _transposed(call):
    # Each input goes to a window of outputs; what "same" cuts off is counted too.
    kernel = call.layer.kernel.shape[:-1]
    return math.prod(call.argument(0, "inputs")) * math.prod(kernel)


def _cell(call):
    layer, inputs = call.layer, call.argument(0, "inputs")
    weights = math.prod(layer.kernel.shape) + math.prod(layer.recurrent_kernel.shape)
    return inputs[0] * weights


def _conv_lstm(call):
    layer = call.layer
    outputs = call.outputs[0] if layer.return_state else call.outputs
    steps = 1 if layer.return_sequences else call.argument(0, "sequences")[1]
    cell = layer.cell
    weights = math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape)
    return steps * math.prod(outputs) // layer.filters * weights


def _multi_head(call):
    layer, value = call.layer, call.argument(1, "value")
    keys = math.prod(value[axis] for axis in layer.attention_axes)
    each = layer.num_heads * (layer.key_dim + layer.value_dim)
    return math.prod(call.argument(0, "query")[:-1]) * keys * each


def _grouped_query(call):
    layer, value = call.layer, call.argument(1, "value")
    each = layer.num_query_heads * 2 * layer.head_dim
    return math.prod(call.argument(0, "query")[:-1]) * value[1] * each


def _attention(call):
    query, value = call.argument(0, "inputs")[:2]
    return math.prod(query[:-1]) * value[1] * (query[-1] + value[-1])


def _dot(call):
    axes: Any = call.layer.axes
    axis = axes if isinstance(axes, int) else axes[0]
    return math.prod(call.outputs) * call.argument(0, "inputs")[0][axis]


_RULES: tuple[tuple[tuple[type, ...], Callable[[LayerCall], int]], ...] = (
    ((_layers.Dense,), _dense),
    ((_layers.EinsumDense,), _einsum),
    ((_layers.Conv1DTranspose, _layers.Conv2DTranspose), _transposed),
    ((_layers.Conv3DTranspose,), _transposed),
    ((_layers.Conv1D, _layers.Conv2D, _layers.Conv3D), _conv),
    ((_layers.DepthwiseConv1D, _layers.DepthwiseConv2D), _depthwise),
    ((_layers.SeparableConv1D, _layers.SeparableConv2D), _separable),
    ((_layers.LSTMCell, _layers.GRUCell, _layers.SimpleRNNCell), _cell),
    ((_layers.ConvLSTM1D, _layers.ConvLSTM2D, _layers.ConvLSTM3D), _conv_lstm),
    ((_layers.MultiHeadAttention,), _multi_head),
    ((_layers.GroupQueryAttention,), _grouped_query),
    ((_layers.Attention,), _attention),
    ((_layers.Dot,), _dot),
)
