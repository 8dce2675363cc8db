"""A model without some of its channels."""

from typing import Any

import keras
import numpy as np

from perfkit.graph.channels import Reading
from perfkit.graph.rebuilding import copy_values, like, one_tensor, rebuilt


def without(reading: Reading, cut) -> keras.Model:
    """Return a new model, not compiled, without some channels.

    Args:
        reading: The channels of a model.
        cut: The channels to take out, as roots of their labels.
    """
    kept = ~np.isin(reading.labels.roots(np.arange(len(reading.labels))), cut)

    def smaller(layer):
        use = reading.uses.get(id(layer))
        config = {} if use is None else use.config
        return like(layer, **{k: _counted(value, kept) for k, value in config.items()})

    def fill(new, old):
        use = reading.uses.get(id(old))
        names = [variable.name for variable in old.variables]

        def sliced(number, value):
            axes = {} if use is None else use.cuts.get(names[number], {})
            for axis, labels in axes.items():
                value = np.compress(kept[labels], value, axis)
            return value

        copy_values(new, old, sliced)

    def shape_of(tensor):
        shape, place = list(tensor.shape), reading.inputs.get(id(tensor))
        if place is not None:
            shape[place.axis] = _counted(place.labels, kept)
        return tuple(shape)

    def call(graph, one, operation, *arguments, **named):  # noqa: ARG001
        use = reading.uses.get(id(one.operation))
        if use is not None and not isinstance(operation, keras.Layer):
            (shape,) = use.config.values()
            return keras.ops.reshape(one_tensor(arguments, named), _counts(shape, kept))
        return operation(*arguments, **named)

    raw = any(not isinstance(use.layer, keras.Layer) for use in reading.uses.values())
    make_call = call if raw else None
    return rebuilt(reading.graph, smaller, fill, make_call=make_call, shape_of=shape_of)


def _counts(shape, kept):
    return tuple(_counted(size, kept) for size in shape)


def _counted(value, kept) -> Any:
    if isinstance(value, tuple):
        return _counts(value, kept)
    return int(kept[value].sum()) if isinstance(value, np.ndarray) else value
