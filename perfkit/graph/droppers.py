"""Layers that drop while training, as far as can be seen."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import keras

from perfkit.graph.calls import Call


def already(
    beside: Sequence[Call], name: str, same: Callable[[Any], bool]
) -> str | None:
    """Return the name of one of these calls if it is the `same` as what is to be put.

    Or if it has the name of what was put beside `name` before.
    """
    ours = re.compile(rf"{re.escape(name)}_(dropout|drop_path)(_\d+)?")
    for call in beside:
        if same(call.operation) or ours.fullmatch(call.operation.name):
            return call.operation.name
    return None


def drops(operation) -> bool:
    """Whether it is dropout of Keras, or draws at a rate, as others do."""
    if isinstance(operation, keras.layers.Dropout):
        return True
    return all(hasattr(operation, name) for name in ("rate", "seed_generator"))


def drops_samples(operation) -> bool:
    """Whether it drops whole samples, as far as can be seen."""
    if type(operation).__module__.startswith("keras."):
        shape = getattr(operation, "noise_shape", None)
        return bool(shape) and set(shape[1:]) == {1}
    return drops(operation)
