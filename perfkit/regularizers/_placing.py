"""Putting regularizers and constraints on kernels so that Keras keeps them."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import keras

from perfkit import _check
from perfkit.graph import kernels as graph
from perfkit.graph.tracing import retrace
from perfkit.graph.trails import trails
from perfkit.regularizers.attached import Attached, described


@dataclasses.dataclass(frozen=True)
class _Change:
    """An attribute of a variable or of a layer, before and after."""

    holder: Any
    name: str
    before: Any
    after: Any


def fitted(value, kernel) -> Any:
    """Return a regularizer or constraint for the output units of this kernel."""
    along = getattr(value, "along", None)
    return along(kernel.units) if along else value


def computed(owner, name, value, kernel, given) -> Any:
    """Return `value(kernel)`; an error says for which kernel it cannot be computed."""
    try:
        return value(kernel.variable)
    except Exception as error:
        shape = tuple(kernel.variable.shape)
        expected = f"computable on `{kernel.path}` of shape {shape}, where it raised "
        _check.fail(owner, name, f"{expected}{error!r}", given)


def put(model, kernels, placed: dict[str, list[Any]], penalty: Callable) -> Attached:
    """Set attributes of kernels, and the arguments of layers that say the same.

    Args:
        model: The model, whose compiled functions are made again.
        kernels: All kernels of the model, and those to put something on.
        placed: What each of the latter gets, by `"regularizer"` or `"constraint"`.
        penalty: Function of one of them: what it adds to the loss.
    """
    all_kernels, selected = kernels
    changes, replaced, unsaved = [], {}, set()
    models = [trail[-1] for trail in trails(model)]
    models = [layer for layer in models if isinstance(layer, keras.Model)]
    for slot, values in placed.items():
        for kernel, value in zip(selected, values, strict=True):
            before = getattr(kernel.variable, slot)
            if before is not None and not _alike([before, value]):
                replaced.setdefault(kernel.path, []).append(described(before))
            changes.append(_set(kernel.variable, slot, value))
        changes += _record(model, slot, all_kernels, selected)
        unsaved |= _unsaid(model, slot, all_kernels)
    for layer in models:
        retrace(layer)

    def undo():
        for change in changes:
            if getattr(change.holder, change.name) is not change.after:
                raise ValueError(
                    f"`Attached.undo()`: a {change.name} was changed since. "
                    "Undo what was put on later first."
                )
        for change in reversed(changes):
            setattr(change.holder, change.name, change.before)
        for layer in models:
            retrace(layer)

    trainable = {id(weight) for weight in model.trainable_weights}
    counted = [k for k in selected if id(k.variable) in trainable]
    return Attached(
        kernels=tuple(kernel.path for kernel in selected),
        placed=tuple(next(iter(placed.values()))),
        replaced={path: " and ".join(former) for path, former in replaced.items()},
        frozen=tuple(k.path for k in selected if id(k.variable) not in trainable),
        unsaved=tuple(k.path for k in selected if id(k.variable) in unsaved),
        penalty=sum(map(penalty, counted)),
        _undo=undo,
    )


def _set(holder, name, value) -> _Change:
    change = _Change(holder, name, getattr(holder, name), value)
    setattr(holder, name, value)
    return change


def _record(model, slot, all_kernels, selected) -> list[_Change]:
    """Keep what kernels have where their layers read their config from.

    A layer that hands its argument on, as attention does (which keeps it with a
    leading underscore), gets it only if it holds for all of its kernels.
    """
    touched = {id(kernel.variable) for kernel in selected}
    return [
        _set(layer, name, getattr(meant[0], slot))
        for layer, name, meant in _arguments(model, slot, all_kernels)
        if touched & set(map(id, meant))
        and _alike([getattr(weight, slot) for weight in meant])
    ]


def _unsaid(model, slot, all_kernels) -> set[int]:
    """The ids of kernels that a clone would have with something else in this slot."""
    saying = {id(kernel.variable): [] for kernel in all_kernels}
    for layer, name, meant in _arguments(model, slot, all_kernels):
        for weight in meant:
            saying[id(weight)].append(getattr(layer, name))
    return {
        id(kernel.variable)
        for kernel in all_kernels
        if not _alike(
            [getattr(kernel.variable, slot), *(saying[id(kernel.variable)] or [None])]
        )
    }


def _arguments(model, slot, all_kernels) -> Iterator[tuple[Any, str, list[Any]]]:
    """Yield layers, their attributes for the slot, and the kernels that these mean."""
    known = {id(kernel.variable) for kernel in all_kernels}
    for layer in {id(trail[-1]): trail[-1] for trail in trails(model)}.values():
        meant: dict[str, list[Any]] = {}
        for weight in layer.weights:
            if id(weight) in known:
                for argument in graph.arguments(weight.name, slot):
                    meant.setdefault(argument, []).append(weight)
        for argument, weights in meant.items():
            for name in sorted({argument, f"_{argument}"} & vars(layer).keys()):
                yield layer, name, weights


def _alike(values) -> bool:
    """Whether all are the same, or of the same kind and config."""
    first, *others = values
    return all(
        other is first
        or (type(other) is type(first) and _config(other) == _config(first))
        for other in others
    )


def _config(value) -> Any:
    try:
        return value.get_config()
    except (AttributeError, NotImplementedError):
        return id(value)
