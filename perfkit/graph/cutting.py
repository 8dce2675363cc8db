"""A model without some of its channels."""

from typing import Any

import keras
import numpy as np

from perfkit.graph.channels import Reading
from perfkit.graph.rebuilding import copy_values, rebuilt


def without(reading: Reading, cut) -> keras.Model:
    """Return a new, smaller model, not compiled, that lacks channels.

    Args:
        reading: The channels of a model.
        cut: The channels to take out, as roots of their labels.
    """
    kept = ~np.isin(reading.labels.roots(np.arange(len(reading.labels))), cut)
    made: list[tuple[Any, Any]] = []

    def smaller(layer):
        config, use = layer.get_config(), reading.uses.get(id(layer))
        if use is not None:
            config |= {k: _counted(value, kept) for k, value in use.config.items()}
        new = type(layer).from_config(config)
        made.append((layer, new))
        return new

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
    small = rebuilt(
        reading.graph, smaller, make_call=call if raw else None, shape_of=shape_of
    )
    for old, new in made:
        use = reading.uses.get(id(old))
        names = [variable.name for variable in old.variables]

        def slices(number, value, use=use, names=names):
            axes = {} if use is None else use.cuts.get(names[number], {})
            for axis, labels in axes.items():
                value = np.compress(kept[labels], value, axis)
            return value

        copy_values(new, old, slices)
    return small


def one_tensor(arguments, named) -> Any:
    """Return the only symbolic tensor among the arguments of a call."""
    leaves = keras.tree.flatten((arguments, named))
    (tensor,) = [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]
    return tensor


def _counts(shape, kept):
    return tuple(_counted(size, kept) for size in shape)


def _counted(value, kept) -> Any:
    if isinstance(value, tuple):
        return _counts(value, kept)
    return int(kept[value].sum()) if isinstance(value, np.ndarray) else value
