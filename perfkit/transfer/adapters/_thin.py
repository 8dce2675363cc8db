"""Layers with a low-rank adapter that do not put the kernel together.

`x W + (x a) b` rather than `x (W + a b)`: the gradient of the whole kernel, which costs
as much as the layer itself, is then never computed.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from perfkit.ops import low_rank


def path(layer_class) -> Callable | None:
    """Return a function of a layer, its adapter and its inputs, or None.

    There is one for the layers whose `call` is Keras's own, and known.
    """
    return _PATHS.get(layer_class.call)


def _dense(layer, adapter, inputs) -> Any:
    outputs = ops.matmul(inputs, layer.kernel)
    change = ops.matmul(ops.matmul(inputs, adapter.a), adapter.b)
    outputs = _sum(outputs, change, adapter)
    if adapter.magnitude is not None:
        factors = adapter.stretch(layer.kernel)
        outputs = outputs * ops.cast(factors, outputs.dtype)
    return _finished(layer, outputs)


def _einsum_dense(layer, adapter, inputs) -> Any:
    to_rank, to_units, by_unit = low_rank.thin_equations(layer.equation)
    shape = layer.kernel.shape
    axes = sorted(axis % len(shape) for axis in adapter.units)
    columns = [shape[axis] for axis in axes]
    rows = [size for axis, size in enumerate(shape) if axis not in axes]
    a = ops.reshape(adapter.a, (*rows, -1))
    b = ops.reshape(adapter.b, (-1, *columns))
    outputs = ops.einsum(layer.equation, inputs, layer.kernel)
    change = ops.einsum(to_units, ops.einsum(to_rank, inputs, a), b)
    outputs = _sum(outputs, change, adapter)
    if adapter.magnitude is not None:
        factors = ops.reshape(adapter.stretch(layer.kernel), columns)
        factors = ops.cast(factors, outputs.dtype)
        outputs = ops.einsum(by_unit, outputs, factors)
    return _finished(layer, outputs)


def _embedding(layer, adapter, inputs) -> Any:
    if inputs.dtype not in ("int32", "int64"):
        inputs = ops.cast(inputs, "int32")
    rows = ops.take(layer.embeddings, inputs, axis=0)
    thin = ops.take(ops.transpose(adapter.b), inputs, axis=0)
    rows = _sum(rows, ops.matmul(thin, ops.transpose(adapter.a)), adapter)
    if adapter.magnitude is not None:
        wanted = ops.take(adapter.magnitude, inputs, axis=0)
        shape: Any = ops.shape(rows)
        table: Any = ops.reshape(rows, (-1, shape[-1]))
        factors = low_rank.stretch(table, ops.reshape(wanted, (-1,)), (0,))
        rows = ops.reshape(table * ops.cast(factors, rows.dtype), shape)
    return ops.cast(rows, layer.compute_dtype)


def _sum(outputs, change, adapter):
    return outputs + ops.cast(adapter.scale * change, outputs.dtype)


def _finished(layer, outputs) -> Any:
    if layer.bias is not None:
        outputs = ops.add(outputs, layer.bias)
    if layer.activation is not None:
        outputs = layer.activation(outputs)
    return outputs


_PATHS = {
    keras.layers.Dense.call: _dense,
    keras.layers.EinsumDense.call: _einsum_dense,
    keras.layers.Embedding.call: _embedding,
}
