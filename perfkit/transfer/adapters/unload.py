"""Take adapters off a model."""

from typing import Any

from perfkit.graph import calls
from perfkit.transfer.adapters import _choosing, _learning, _tuned
from perfkit.transfer.adapters.adapter import Adapter


def unload(model) -> Any:
    """Take the adapters off a model, which then computes what it did without them.

    Low-rank adapters are taken off in place: kernels are bit for bit what they were
    before `adapt`. From a model of `insert_adapters` a new one is made without the
    layers that it put in. What learnt as a whole (`train`, and the biases of `bit_fit`)
    keeps what it learnt. What is trainable is as before; where that is not known, as in
    a model that was loaded, all is. A model without adapters stays as it is.

    Args:
        model: A `keras.Model` after `adapt`, `bit_fit` or `insert_adapters`.

    Returns:
        The model, or the new one, which has to be compiled.

    Raises:
        ValueError: If the model is not built.
        TypeError: If `model` has the wrong type.

    Example:
        >>> import keras
        >>> from perfkit import transfer
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
        >>> report = transfer.adapt(model, transfer.LoRA(rank=2))
        >>> len(model.weights), len(unload(model).weights)
        (4, 2)

    Reference: none (standard).
    """
    _choosing.built("unload", model)
    inserted = any(isinstance(layer, Adapter) for layer in _tuned.numbered(model))
    if inserted and not _learning.is_noted(model):
        _learning.restore(model)
    _tuned.to_plain(model)
    if inserted:
        model = calls.rewritten(calls.read("unload", model), _without)
    return model


def _without(_, operation, *arguments, **named):
    if isinstance(operation, Adapter):
        return arguments[0]
    return operation(*arguments, **named)
