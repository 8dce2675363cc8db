"""The report of what was made to learn in a model."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Adapted:
    """Report what `adapt`, `bit_fit` or `insert_adapters` has a model learn.

    Attributes:
        places: What each adapter is, such as `LoRA(rank=8, alpha=8)`, or the kind of
            each weight, by its path in the model, such as `block/dense/kernel`.
        trained: Paths of the layers that learn as a whole, as `train` names them.
        skipped: What was selected and left alone, and why, by its path.
        before: Number of trainable parameters before.
        after: Number of trainable parameters now.
        total: Number of parameters of the model, adapters included.
    """

    places: Mapping[str, str]
    trained: tuple[str, ...]
    skipped: Mapping[str, str]
    before: int
    after: int
    total: int

    def __str__(self):
        share = 100.0 * self.after / self.total
        lines = [
            f"{self.after:,} of {self.total:,} parameters learn, {share:.3g} %, where "
            f"{self.before:,} did; compile the model before `fit`"
        ]
        lines += [f"  {kind} at {path}" for path, kind in self.places.items()]
        lines += [f"  all of {path}" for path in self.trained]
        lines += [f"  not at {path}: {why}" for path, why in self.skipped.items()]
        return "\n".join(lines)
