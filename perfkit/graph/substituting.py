"""Calling a layer with other values in place of its variables'."""

from collections.abc import Callable, Sequence
from typing import Any

import keras


def call_with(owner, layer, values: Sequence[tuple[Any, Any]], call: Callable) -> Any:
    """Return what `call()` returns while variables of a layer have other values.

    What the layer assigns to its own variables is kept, and so are losses that it adds.

    Args:
        owner: The layer that is being called, to which losses are added.
        layer: The one inside whose variables are read.
        values: Pairs of a variable and the value in its place.
        call: Function without arguments that calls the layer.
    """
    # Scopes do not nest, so this one has all that the layer reads.
    known = [(v, keras.ops.convert_to_tensor(v)) for v in layer.variables]
    with keras.StatelessScope([*known, *values], collect_losses=True) as scope:
        before = {id(v): scope.get_current_value(v) for v in layer.variables}
        outputs = call()
    for variable in layer.non_trainable_variables:
        value = scope.get_current_value(variable)
        if value is not before[id(variable)] and not variable.trainable:
            variable.assign(value)
    for loss in scope.losses:  # Keras knows the layer's by their identity
        owner.add_loss(keras.ops.copy(loss))
    return outputs
