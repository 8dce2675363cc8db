"""The constraint that keeps zeros, and putting it on variables."""

from typing import Any, NamedTuple

import keras
import numpy as np

from perfkit._backend import ops, seen
from perfkit.compress.sparsity._paths import path_of
from perfkit.graph.arrays import array
from perfkit.graph.owners import owners
from perfkit.graph.tracing import retrace
from perfkit.graph.trails import trails
from perfkit.ops.sparsity import zeroed


class Masked(keras.constraints.Constraint):
    """The constraint that puts zeros back after each update of a kernel.

    It sits on the variable alone: layers keep the constraint that they were made with,
    so a clone or a file has that one, and zeros as values.

    Args:
        mask: Boolean `keras.Variable`, true where a weight stays.
        own: The constraint that the kernel had, or None. It is applied after the zeros
            are put back.
        memory: What is remembered of weights that are zero, see `_memory`, or None.
        slots: The variables in an optimizer that all this is kept in, or None.
    """

    def __init__(self, mask, own=None, memory=None, slots=None):
        self.mask: Any = mask
        self.own = own
        self.memory: Any = memory
        self.slots: Any = slots

    def __call__(self, w):
        mask, updated = ops.convert_to_tensor(self.mask), ops.convert_to_tensor(w)
        value = _zeroed(updated, mask)
        if self.own is not None:
            value = _zeroed(self.own(value), mask)
        # Wrappers of optimizers ask about tensors too, which are no update.
        if self.memory is not None and isinstance(w, keras.Variable):
            self.memory.remember(mask, updated, value)
        return value

    def carry_to(self, variable, cut) -> None:
        """Put this mask, cut to its shape, on a variable of a new model."""
        hold(variable, np.asarray(cut(array(self.mask)), bool))

    def get_config(self):
        raise NotImplementedError("a mask is not part of a config; it is in the zeros")


def _zeroed(value, mask):
    # Not a product, which would leave -0.0, and that compresses worse.
    return ops.where(mask, value, ops.zeros_like(value))


def held(variable) -> Masked | None:
    """Return the constraint of a variable whose zeros are kept, or None."""
    found = variable.constraint
    return found if isinstance(found, Masked) else None


def own_constraint(variable) -> Any:
    """Return the constraint of a variable apart from ours."""
    found = held(variable)
    return variable.constraint if found is None else found.own


def hold(variable, mask, value=None) -> None:
    """Zero what a mask prunes, now and after each update from now on.

    Args:
        variable: A kernel.
        mask: Boolean array of its shape, true where a weight stays.
        value: What it is to hold, or None for what it does.
    """
    own = own_constraint(variable)
    let_go(variable)
    variable.assign(zeroed(seen(variable) if value is None else value, mask))
    kept = keras.Variable(mask, dtype="bool", trainable=False, name="mask")
    variable.constraint = Masked(kept, own)


def restore(variable) -> None:
    """Put zeros back that were lost past the constraint, as by averages of Keras."""
    mask = mask_of(variable)
    if mask is not None:
        variable.assign(zeroed(seen(variable), mask))


def let_go(variable) -> None:
    """Give a variable the constraint that it had; its zeros stay until it learns."""
    found = held(variable)
    if found is not None:
        variable.constraint = found.own
        if found.slots is not None:
            found.slots.remove()


class Held(NamedTuple):
    """A variable whose zeros are kept, and its path in the model."""

    path: str
    variable: Any


def held_in(model) -> list[Held]:
    """Return the variables of a model whose zeros are kept, each once."""
    return [
        Held(path_of(one.trail, weight), weight)
        for one in owners(model)
        for weight in one.weights
        if held(weight) is not None
    ]


def mask_of(variable) -> Any:
    """Return the mask of a variable as an array, or None if its zeros are not kept."""
    found = held(variable)
    return None if found is None else array(found.mask)


def notice(model) -> None:
    """Have a model and those inside it that were compiled notice new constraints."""
    for trail in trails(model):
        if isinstance(trail[-1], keras.Model):
            retrace(trail[-1])
