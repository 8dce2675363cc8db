"""Which modalities a batch has, and which of their steps."""

from perfkit._backend import ops
from perfkit.ops import modalities


class Presence:
    """What is seen of the modalities of a batch.

    Args:
        present: Boolean `(batch, modalities)`, or `None` for all of them.
        masks: For each modality a boolean `(batch, steps)`, or `None`.
    """

    def __init__(self, present, masks):
        self.table = None if present is None else ops.cast(present, "bool")
        self.masks = masks

    def hide(self, number, x, value=0):
        """Zeros, or another value, where modality `number` is absent."""
        if self.table is None:
            return x
        return modalities.hidden(x, self.table[:, number], value)

    def hide_each(self, parts):
        """Zeros where modalities are absent, for tensors in their order."""
        return [self.hide(number, x) for number, x in enumerate(parts)]

    def steps(self, number, x):
        """Boolean `(batch, steps)` of a sequence, or `None` where all are seen."""
        mask = self.masks[number] if len(x.shape) == 3 else None
        if self.table is None:
            return mask
        here = self.table[:, number : number + 1]
        if mask is not None:
            return ops.logical_and(mask, here)
        return ops.broadcast_to(here, (ops.shape(x)[0], ops.shape(x)[1]))

    def hide_steps(self, number, x):
        """Zeros where a step of a sequence is padding or absent."""
        seen = self.steps(number, x)
        return x if seen is None else modalities.hidden(x, seen)

    def counts(self, dtype):
        """Number of modalities of each sample, or `None` if it has all of them."""
        return None if self.table is None else ops.sum(ops.cast(self.table, dtype), 1)


def joined(masks, sequences):
    """Join masks of steps as their sequences are; `None` if there are none."""
    if all(mask is None for mask in masks):
        return None
    full = [
        ops.ones_like(x[..., 0], dtype="bool") if mask is None else mask
        for mask, x in zip(masks, sequences, strict=True)
    ]
    return ops.concatenate(full, axis=1)
