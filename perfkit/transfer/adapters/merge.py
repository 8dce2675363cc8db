"""Fold low-rank adapters into the kernels."""

from typing import Any

from perfkit import _check
from perfkit.transfer.adapters import _choosing, _tuned
from perfkit.transfer.adapters.adapter import Adapter


def merge(model) -> Any:
    """Fold the adapters of a model into its kernels, in place.

    The model is then a plain one, which computes what it did with adapters, to within
    rounding, as fast as before `adapt`; its files load without perfkit. What is
    trainable is as before `adapt`; where that is not known, as in a model that was
    loaded, all is. A model without adapters stays as it is.

    Args:
        model: A `keras.Model` after `adapt`.

    Returns:
        The model.

    Raises:
        ValueError: If the model has an `Adapter` of `insert_adapters`, of which
            there is no plain kernel. Nothing is changed.
        TypeError: If `model` has the wrong type.

    Example:
        >>> import keras
        >>> from perfkit import transfer
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
        >>> report = transfer.adapt(model, transfer.LoRA(rank=2))
        >>> len(model.weights), len(merge(model).weights)
        (4, 2)

    Reference: see `LoRA`.
    """
    _choosing.built("merge", model)
    layers = _tuned.numbered(model)
    inserted = [layer.name for layer in layers if isinstance(layer, Adapter)]
    if inserted:
        expected = f"without layers such as {inserted[0]}, which cannot be merged"
        _check.fail("merge", "model", expected, model)
    for layer in layers:
        for kernel, adapter in _tuned.adapted_kernels(layer):
            kernel.assign(adapter.kernel(kernel))
    _tuned.to_plain(model)
    return model
