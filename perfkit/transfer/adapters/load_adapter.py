"""Put what a model learnt on its base again."""

import os
import warnings
from typing import Any

from perfkit import _check
from perfkit.graph import kernels
from perfkit.graph.owners import own_weights
from perfkit.transfer.adapters import (
    _adapter_file,
    _choosing,
    _learning,
    _low_rank,
    _tuned,
)
from perfkit.transfer.adapters.adapted import Adapted
from perfkit.transfer.adapters.dora import DoRA
from perfkit.transfer.adapters.lora import LoRA

_METHODS = {"LoRA": LoRA, "DoRA": DoRA}


def load_adapter(model, path, *, strict=True) -> Adapted:
    """Put what `save_adapter` wrote on the base that it was learnt on.

    In place. Low-rank adapters are put where they were, weights that were learnt as a
    whole get their values, and the same is trainable as when the file was written, so
    that training can go on. Layers of `insert_adapters` have to be there, from the same
    call of it. To change to another task, `unload` first.

    Args:
        model: A built `keras.Model`, made and filled with weights as the base was.
        path: The file.
        strict: Whether a base with other weights than those of training is an error
            rather than a warning.

    Returns:
        An `Adapted`, which can be printed.

    Raises:
        ValueError: If the file is damaged or of another version, if it does not fit
            the model, or if the base has other weights. Nothing is changed.
        FileNotFoundError: If there is no such file.
        TypeError: If an argument has the wrong type.

    Example:
        >>> import pathlib, tempfile
        >>> import keras
        >>> from perfkit import transfer
        >>> def base():
        ...     dense = keras.layers.Dense(4, kernel_initializer="ones", name="dense")
        ...     return keras.Sequential([keras.Input((8,)), dense])
        >>> model = base()
        >>> report = transfer.adapt(model, transfer.LoRA(rank=2))
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "task.npz"
        >>> transfer.save_adapter(model, path)
        >>> print(load_adapter(base(), path))
        24 of 60 parameters learn, 40 %, where 36 did; compile the model before `fit`
          LoRA(rank=2, alpha=2) at dense/kernel

    Reference: none (standard).
    """
    owner = "load_adapter"
    _choosing.built(owner, model)
    _check.instance(owner, "path", path, (str, os.PathLike))
    _check.boolean(owner, "strict", strict)
    text, arrays = _adapter_file.read(owner, path)
    try:
        plan = _fitted(model, text, arrays)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        _adapter_file.damaged(owner, path, f"its text makes no sense: {error!r}")
    if isinstance(plan, str):
        expected = f"a model that the file fits, where {plan}"
        _check.fail(owner, "model", expected, model)
    placed, values = plan
    base = _adapter_file.base_weights(model)
    saved = [number for number, _ in text["weights"]]
    if text["base"] != _adapter_file.base_hash(base, saved):
        message = "with the weights that the adapter was learnt on, which these are not"
        if strict:
            expected = f"{message}; `strict=False` loads it all the same"
            _check.fail(owner, "model", expected, model)
        warnings.warn(f"`load_adapter`: the model is to be {message}.", stacklevel=2)
    return _put(model, placed, values)


def _fitted(model, text, arrays) -> Any:
    """Return what goes where, or what does not fit."""
    layers, base = _tuned.numbered(model), _adapter_file.base_weights(model)
    if text["layers"] != len(layers):
        return f"it has {len(layers)} layers and the file's had {text['layers']}"
    left, placed, values = dict(arrays), [], []
    for number, record in enumerate(text["adapters"]):
        layer, place = layers[record["layer"]], record["place"]
        method = _METHODS[record["method"]](record["rank"], alpha=record["alpha"])
        own = own_weights(layer)
        if place >= len(own) or len(own[place].shape) < 2:
            return f"the layer `{layer.name}` has no kernel as {record['path']} had"
        units = kernels.units(layer, own[place].name)
        for weight, shape in _low_rank.shapes(method, own[place], units).items():
            value = left.pop(f"adapter {number} {weight}")
            if value.shape != shape:
                return f"`{weight}` of {record['path']} is {value.shape}, not {shape}"
            values.append(((number, weight), value))
        placed.append((layer, method, place))
    for number, path in text["weights"]:
        if not 0 <= number < len(base):
            return f"it has {len(base)} weights and the file's had more"
        value, shape = left.pop(f"weight {number}"), tuple(base[number].shape)
        if value.shape != shape:
            return f"`{base[number].path}` is {shape} and {path} is {value.shape}"
        values.append((base[number], value))
    if left:
        raise ValueError(f"arrays of no use: {sorted(left)}")
    return _others(layers, placed) or (placed, values)


def _others(layers, placed) -> str | None:
    """What adapters the model has already, if they are not the same ones."""
    wanted = {(id(layer), place): str(method) for layer, method, place in placed}
    for layer in layers:
        for adapter in _tuned.adapters_in(layer):
            there = id(layer), adapter.place
            if wanted.get(there) != str(adapter.method):
                return f"`{layer.name}` has another adapter; call `unload` first"
    return None


def _put(model, placed, values) -> Adapted:
    paths = _choosing.paths(model)
    before = _learning.size(model.trainable_weights)
    _learning.remember(model)
    adapters, places, learning = [], {}, set()
    for layer, method, place in placed:
        there = {one.place: one for one in _tuned.adapters_in(layer)}
        adapters.append(there.get(place) or _tuned.adapt(layer, method, place))
        kernel = own_weights(layer)[place]
        places[f"{paths[id(layer)]}/{kernel.name}"] = str(method)
    for weight, value in values:
        if isinstance(weight, tuple):
            number, name = weight
            weight = getattr(adapters[number], name)
        else:
            places[weight.path] = "values"
        weight.assign(value)
        learning.add(id(weight))
    return _choosing.settled(model, learning, places, {}, {}, before)
