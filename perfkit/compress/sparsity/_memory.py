"""What is remembered of weights that are zero, so that they may come back.

A constraint sees a kernel after its update. It also knows the kernel before: 0 where a
weight is pruned, and elsewhere the remembered value. The difference is the update, so
the gradient itself is not needed.
"""

from typing import Any

import numpy as np

from perfkit import _replicas
from perfkit._backend import ops
from perfkit.graph.arrays import array


class Memory:
    """Abstract: what is remembered of a kernel.

    Args:
        slots: Variables like the kernel, one for each of `names`. The first begins as
            the kernel.
    """

    names: tuple[str, ...] = ()

    def __init__(self, slots):
        self.slots: Any = slots

    def remember(self, mask, updated, value):
        """Operation: see an update of the kernel, within the step.

        Args:
            mask: True where a weight stays.
            updated: The kernel after the update.
            value: The same within its constraints, zeros put back.
        """
        raise NotImplementedError

    def seen(self, mask, value) -> tuple[Any, Any]:
        """Operation: scores of all weights, and what they would be if none was zero.

        Args:
            mask: Array, true where a weight stays.
            value: Array, the kernel.
        """
        raise NotImplementedError


class StraightThrough(Memory):
    """Train pruned weights on, out of sight, by the gradients of their zeros."""

    names = ("dense",)

    def remember(self, mask, updated, value):
        (dense,) = self.slots
        known = ops.convert_to_tensor(dense)
        change = ops.cast(updated, known.dtype)  # from 0, where it is pruned
        value = ops.cast(value, known.dtype)
        _replicas.assign([dense], [ops.where(mask, value, known + change)])

    def seen(self, mask, value):
        dense = np.where(mask, value, array(self.slots[0]))
        return np.abs(dense), dense


class Movement(Memory):
    """Score weights by how they move away from zero; keep values of pruned ones."""

    names = ("dense", "score")

    def remember(self, mask, updated, value):
        dense, score = self.slots
        known = ops.convert_to_tensor(dense)
        updated = ops.cast(updated, known.dtype)
        change = ops.where(mask, updated - known, updated)
        value = ops.where(mask, ops.cast(value, known.dtype), known)
        _replicas.assign([dense, score], [value, score + known * change])

    def seen(self, mask, value):
        dense = np.where(mask, value, array(self.slots[0]))
        score = array(self.slots[1])
        # Before the first update nothing has moved, and magnitudes decide.
        return (score if score.any() else np.abs(dense)), dense


MEMORIES: dict[str, type[Memory]] = {
    "movement": Movement,
    "straight_through": StraightThrough,
}
