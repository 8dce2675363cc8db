"""Kernels that are masked while they are trained."""

from typing import Any

import numpy as np

from perfkit._backend import seen
from perfkit.compress.sparsity import _masked, _scoring
from perfkit.compress.sparsity._masked import Masked
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
        for kernels in self._together():
            scores, values = self._seen(kernels)
            self._set(kernels, self._made(kernels, scores, sparsity), values)

    def complete(self, sparsity):
        """Make masks anew if they do not have the number of zeros that is due."""
        scores, values = self._seen(self.kernels)
        masks = self._made(self.kernels, scores, sparsity)
        pairs = zip(masks, self.masks(), strict=True)
        changes = [np.count_nonzero(new) - np.count_nonzero(old) for new, old in pairs]
        if sum(changes):
            self._set(self.kernels, masks, values)

    def take_zeros(self, sparsity):
        """Make masks of the weights that are zero, up to this sparsity."""
        for kernels in self._together():
            values = [seen(kernel.variable) for kernel in kernels]
            scores = [self._pattern.magnitudes(value) for value in values]
            share = min(_scoring.share_of_zeros(scores, self._pattern), sparsity)
            self._set(kernels, self._made(kernels, scores, share), values)

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

    def _together(self):
        """Kernels whose scores are compared, few at a time to need little memory."""
        return (
            [self.kernels] if self._scope == "global" else [[x] for x in self.kernels]
        )

    def _made(self, kernels, scores, sparsity):
        return _scoring.masks(kernels, scores, sparsity, self._pattern, self._scope)

    def _seen(self, kernels):
        """Scores of kernels, and what they would be without masks."""
        values = [seen(kernel.variable) for kernel in kernels]
        held = [self._constraint(kernel) for kernel in kernels]
        if held[0].memory is None:
            return [self._pattern.magnitudes(value) for value in values], values
        pairs = [
            one.memory.seen(seen(one.mask), value)
            for one, value in zip(held, values, strict=True)
        ]
        return [score for score, _ in pairs], [value for _, value in pairs]

    def _set(self, kernels, masks, values):
        for kernel, mask, value in zip(kernels, masks, values, strict=True):
            constraint = self._constraint(kernel)
            kernel.variable.assign(zeroed(value, mask))
            constraint.mask.assign(mask)
