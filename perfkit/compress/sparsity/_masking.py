"""Kernels that are masked while they are trained."""

from typing import Any

import numpy as np

from perfkit.compress.sparsity import _masked, _scoring
from perfkit.compress.sparsity._masked import Masked, seen
from perfkit.compress.sparsity._memory import MEMORIES
from perfkit.compress.sparsity._slots import Slots
from perfkit.graph.arrays import array
from perfkit.ops.sparsity import zeroed


class Masking:
    """The masks of some kernels, kept by an optimizer for the time of a `fit`.

    Args:
        owner: Name of the callback, for errors.
        model: The model that is trained.
        kernels: Those of it, or of a model in it, that are pruned.
        pattern: A `Pattern`.
        scope: `"local"` or `"global"`.
        criterion: `"magnitude"`, or the name of a memory.
    """

    def __init__(self, owner, model, kernels, pattern, scope, criterion):
        self.kernels = kernels
        self._pattern, self._scope = pattern, scope
        self._slots = Slots(owner, model)
        for kernel in kernels:
            self._constrain(kernel.variable, MEMORIES.get(criterion))

    def _constrain(self, variable, kind):
        before = _masked.held(variable)
        mask = self._slots.add(variable, "mask", "bool", "ones")
        memory = None
        if kind is not None:
            wide = "float64" if variable.dtype == "float64" else "float32"
            slots = [self._slots.add(variable, x, wide, "zeros") for x in kind.names]
            memory = kind(slots)
            memory.slots[0].assign(array(variable))
        if before is not None:
            mask.assign(array(before.mask))
            if memory is not None and type(before.memory) is kind:  # a `fit` broke off
                for new, old in zip(memory.slots, before.memory.slots, strict=True):
                    new.assign(array(old))
        own = _masked.own_constraint(variable)
        _masked.let_go(variable)
        variable.constraint = Masked(mask, own, memory, self._slots)

    def masks(self) -> list[Any]:
        """The masks as they are now."""
        return [seen(self._constraint(kernel).mask) for kernel in self.kernels]

    def lost(self) -> list[str]:
        """Paths of kernels that another masking has taken over."""
        held = [(kernel.path, _masked.held(kernel.variable)) for kernel in self.kernels]
        return [path for path, x in held if x is None or x.slots is not self._slots]

    def is_masked(self) -> bool:
        """Whether a weight is pruned."""
        return not all(mask.all() for mask in self.masks())

    def sparsity(self) -> float:
        """The share of weights that are pruned."""
        masks = self.masks()
        zeros = sum(mask.size - int(np.count_nonzero(mask)) for mask in masks)
        return zeros / sum(mask.size for mask in masks)

    def update(self, sparsity):
        """Make masks anew."""
        scores, values = self._seen()
        self._set(self._made(scores, sparsity), values)

    def complete(self, sparsity):
        """Make masks anew if they do not have the number of zeros that is due."""
        scores, values = self._seen()
        masks = self._made(scores, sparsity)
        pairs = zip(masks, self.masks(), strict=True)
        changes = [np.count_nonzero(new) - np.count_nonzero(old) for new, old in pairs]
        if sum(changes):
            self._set(masks, values)

    def take_zeros(self, sparsity):
        """Make masks of the weights that are zero, up to this sparsity."""
        values = [seen(kernel.variable) for kernel in self.kernels]
        scores = [self._pattern.magnitudes(value) for value in values]
        together = [scores] if self._scope == "global" else [[each] for each in scores]
        masks, place = [], 0
        for some in together:
            share = min(_scoring.share_of_zeros(some, self._pattern), sparsity)
            kernels = self.kernels[place : place + len(some)]
            masks += _scoring.masks(kernels, some, share, self._pattern, self._scope)
            place += len(some)
        self._set(masks, values)

    def settle(self):
        """Put fixed masks on the kernels, and take all variables off the optimizer."""
        for kernel, mask in zip(self.kernels, self.masks(), strict=True):
            if mask.all():
                _masked.let_go(kernel.variable)
            else:
                _masked.hold(kernel.variable, mask)
        self._slots.remove()

    def _constraint(self, kernel) -> Masked:
        return kernel.variable.constraint

    def _made(self, scores, sparsity):
        return _scoring.masks(
            self.kernels, scores, sparsity, self._pattern, self._scope
        )

    def _seen(self):
        """Scores of the kernels, and what they would be without masks."""
        values = [seen(kernel.variable) for kernel in self.kernels]
        memories = [self._constraint(kernel).memory for kernel in self.kernels]
        if None in memories:
            return [self._pattern.magnitudes(value) for value in values], values
        pairs = [
            memory.seen(mask, value)
            for memory, mask, value in zip(memories, self.masks(), values, strict=True)
        ]
        return [score for score, _ in pairs], [value for _, value in pairs]

    def _set(self, masks, values):
        for kernel, mask, value in zip(self.kernels, masks, values, strict=True):
            constraint = self._constraint(kernel)
            kernel.variable.assign(zeroed(value, mask))
            constraint.mask.assign(mask)
