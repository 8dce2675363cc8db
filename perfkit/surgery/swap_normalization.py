"""Replace the normalizations of a model that is already built."""

from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph import insertion, selection
from perfkit.graph.arrays import array
from perfkit.graph.rebuilding import copy_state
from perfkit.surgery import _making
from perfkit.surgery._comparing import same
from perfkit.surgery._operating import Operating, parameters
from perfkit.surgery.changed import Change, Changed

_OWNER = "swap_normalization"
_BATCH = keras.layers.BatchNormalization
# Arguments of what is replaced that the new layer gets, too.
_KEPT = (
    "center",
    "scale",
    "beta_constraint",
    "beta_regularizer",
    "gamma_constraint",
    "gamma_regularizer",
)
_OF_BATCHES = ("epsilon", "momentum")
_MOST_GROUPS = 32  # of the paper, and Keras's default


def swap_normalization(
    model, new, *, old=keras.layers.BatchNormalization, where=None
) -> tuple[keras.Model, Changed]:
    """Replace normalizations of a built model; return a new model, else the same.

    Scale and offset go over to the new layers that have them, for each channel, and so
    do moving statistics, where both have them. Other statistics are other predictions:
    a trained model has to be trained on. All other weights are kept. The new model
    shares nothing with the old one; models nested in it are rewritten, too.

    Args:
        model: A built Functional or Sequential `keras.Model`, which stays as it is.
        new: A class of layers, such as `keras.layers.GroupNormalization` or
            `perfkit.layers.FilterResponseNormalization`, with arguments by
            `functools.partial`, or a function that makes one. What it takes of `axis`,
            `data_format`, `center` and `scale`, and is not given, is as it was.
            `groups` are as many as divide the channels, at most 32, of at least two
            channels each where that is possible.
        old: A class of layers that are replaced, or a tuple of them.
        where: Which of them: a name pattern, a layer or model, a class, a function of a
            layer, or a list of these. None for all.

    Returns:
        The new model, to be compiled, and a `Changed`.

    Raises:
        ValueError: If the model is subclassed or not built, an argument is none of
            the above, there is no such normalization, or channels cannot be put into
            so many groups.
        TypeError: If an argument has the wrong type.

    Example:
        >>> norm = keras.layers.BatchNormalization(name="norm")
        >>> model = keras.Sequential([keras.Input((4, 4, 8)), norm])
        >>> new, changed = swap_normalization(model, keras.layers.GroupNormalization)
        >>> print(changed)
        1 change in a new model with other predictions and -16 parameters; compile it
        before `fit`
          GroupNormalization for BatchNormalization at norm, -16 parameters

    Reference: Wu and He, Group Normalization, 2018, arXiv 1803.08494.
    """
    kinds = old if isinstance(old, tuple) else (old,)
    if not kinds or not all(isinstance(kind, type) for kind in kinds):
        expected = "a class of layers, or a tuple of them"
        _check.fail(_OWNER, "old", expected, old, TypeError)
    operating = Operating(_OWNER, model)

    def selects(choice, trail):
        if not isinstance(trail[-1], kinds):
            return False
        return choice is None or selection.selects(choice, trail, None)

    kind = f"the layers of {' or '.join(one.__name__ for one in kinds)}"
    done = set()
    for trail, _, call in insertion.chosen(
        _OWNER, operating.graph, where, selects, kind
    ):
        layer, path = call.operation, insertion.path_of(trail)
        if id(layer) not in done:
            done.add(id(layer))
            _swap(operating, path, call, new)
    return operating.finish("where", where)


def _swap(operating, path, call, make):
    old, tensor = call.operation, call.inputs[0]
    rank, config = len(tensor.shape), call.operation.get_config()
    axis = _axis(old, rank)
    if axis is None:
        operating.skipped[path] = "normalizes no single axis of channels"
        return
    offered = {name: config[name] for name in _KEPT if name in config}
    offered |= {
        "axis": axis if axis == 1 and rank > 2 else -1,
        "data_format": "channels_first" if axis == 1 and rank > 2 else "channels_last",
        "groups": _groups(tensor.shape[axis]),
        "dtype": old.dtype_policy,
        "trainable": old.trainable,
    }
    if _is_of_batches(make) and isinstance(old, _BATCH):
        offered |= {name: config[name] for name in _OF_BATCHES}
    new: Any = _making.made(_OWNER, "new", make, offered)
    why = _reason(new, call, rank)
    if why:
        operating.skipped[path] = why
        return
    groups = getattr(new, "groups", None)
    if isinstance(groups, int) and groups > 0 and tensor.shape[axis] % groups:
        expected = f"one whose groups divide the {tensor.shape[axis]} channels at "
        _check.fail(_OWNER, "new", f"{expected}{path}", make)
    new.name, new.trainable = old.name, old.trainable
    operating.replace(old, [new], lambda steps, layer: _carry(steps[0], layer))

    def report():
        more = parameters([new]) - parameters([old])
        names = type(old).__name__, type(new).__name__
        shape = [size if k == axis else 4 for k, size in enumerate(tensor.shape)]
        alike = same(old, new, shape)
        return Change(path, path, *names, more, alike, _lost(new, old))

    operating.report(report)


def _axis(layer, rank) -> int | None:
    """The axis of the channels, if that is the one that it normalizes by."""
    axis: Any = getattr(layer, "axis", None)
    if axis is None:
        first = getattr(layer, "data_format", None) == "channels_first"
        return 1 if first else rank - 1
    several = axis if isinstance(axis, (list, tuple)) else [axis]
    return several[0] % rank if len(several) == 1 else None


def _groups(channels) -> int:
    most = min(_MOST_GROUPS, max(1, channels // 2))
    return max(k for k in range(1, most + 1) if channels % k == 0)


def _is_of_batches(make) -> bool:
    while hasattr(make, "func"):
        make = make.func
    return isinstance(make, type) and issubclass(make, _BATCH)


def _reason(new, call, rank) -> str | None:
    """Why a new layer cannot take the place of one that is called so."""
    for spec in _making.specs(new):
        least = spec.ndim or spec.min_ndim or 0
        if rank < least or (spec.ndim and rank > spec.ndim):
            return f"{type(new).__name__} takes no tensors of {rank} axes"
    said = {name for name, value in call.named.items() if value is not None}
    said -= {name for name in said if _making.takes(new.call, name)}
    return f"is called with {', '.join(sorted(said))}" if said else None


def _carry(new, old):
    """Copy the values for each channel that both layers have."""
    values = {_usual(variable): variable for variable in old.variables}
    for variable in new.variables:
        value = values.get(_usual(variable))
        if value is not None and tuple(value.shape) == tuple(variable.shape):
            variable.assign(array(value))
            copy_state(variable, value)


def _lost(new, old) -> str:
    """Say which learned values have no place in the new layer."""
    there = {_usual(variable): tuple(variable.shape) for variable in new.variables}
    neutral = {"gamma": 1.0, "beta": 0.0}
    words = {"gamma": "scale", "beta": "offset"}
    gone = [
        words[_usual(variable)]
        for variable in old.variables
        if _usual(variable) in neutral
        and there.get(_usual(variable)) != tuple(variable.shape)
        and np.any(array(variable) != neutral[_usual(variable)])
    ]
    return f"without the {' and the '.join(gone)} it had" if gone else ""


def _usual(variable) -> str:
    """The name of a variable, which `RMSNormalization` has another one for."""
    return "gamma" if variable.name == "scale" else variable.name
