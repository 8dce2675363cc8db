"""Gradients of a model's loss, outside of `fit`."""

from collections.abc import Callable
from typing import Any

import keras

from perfkit import _backend
from perfkit.graph.arrays import array


def loss_gradients(model, variables, loss=None) -> Callable[[Any, Any], list[Any]]:
    """Return a function of a batch and its targets that gives gradients, as arrays.

    The model is called as at inference: nothing is random, and no statistics move.

    Args:
        model: A built `keras.Model`.
        variables: Those of its variables by which to differentiate.
        loss: A function of targets and outputs, or None for the loss it was compiled
            with.
    """
    others = [
        v for v in model.variables if all(v is not chosen for chosen in variables)
    ]

    def of(values, rest, x, y):
        mapping = [
            *zip(variables, values, strict=True),
            *zip(others, rest, strict=True),
        ]
        with keras.StatelessScope(state_mapping=mapping):
            outputs = model(x, training=False)
            if loss is None:
                return model.compute_loss(x, y, outputs, training=False)
            return keras.ops.mean(loss(y, outputs))

    program = _backend.differentiated(of)

    def call(x, y):
        x = keras.tree.map_structure(keras.ops.convert_to_tensor, x)
        y = keras.tree.map_structure(_target, y)
        values = [keras.ops.convert_to_tensor(v) for v in variables]
        rest = [keras.ops.convert_to_tensor(v) for v in others]
        gradients = program(values, rest, x, y)
        return [array(gradient) for gradient in gradients]

    return call


def _target(value):
    """Targets as `fit` gives them to a loss."""
    tensor: Any = keras.ops.convert_to_tensor(value)
    if keras.backend.is_float_dtype(tensor.dtype):
        return keras.ops.cast(tensor, keras.config.floatx())
    return tensor
