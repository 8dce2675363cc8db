"""The report of what surgery changed in a model."""

import dataclasses
from collections.abc import Mapping


@dataclasses.dataclass(frozen=True)
class Change:
    """What changed at one place.

    Attributes:
        place: Path of the layer or operation that was replaced, behind which the new
            layer lies, or of the sum in front of which it lies; names from the model
            down, joined with a slash.
        path: Path of the new layer in the new model.
        old: What was replaced; `None` if something was put in.
        new: What is there now.
        parameters: How many parameters there are more; fewer if below 0.
        identity: Whether the new layer begins so that predictions stay as they are.
        note: What else is to be known, or an empty string.
    """

    place: str
    path: str
    old: str | None
    new: str
    parameters: int
    identity: bool
    note: str = ""

    def __str__(self):
        what = self.new if self.old is None else f"{self.new} for {self.old}"
        more = f", {self.parameters:+,} parameters" if self.parameters else ""
        note = f" ({self.note})" if self.note else ""
        return f"{what} at {self.place}{more}{note}"


@dataclasses.dataclass(frozen=True)
class Changed:
    """Report what a function of `perfkit.surgery` changed, and what it left alone.

    Attributes:
        changes: A `Change` for each place, in the order of the model.
        skipped: Places that were selected and left alone, and why, by their path.
    """

    changes: tuple[Change, ...]
    skipped: Mapping[str, str]

    @property
    def parameters(self) -> int:
        """How many parameters the new model has more."""
        return sum(change.parameters for change in self.changes)

    @property
    def identity(self) -> bool:
        """Whether the new model predicts the same until it is trained."""
        return all(change.identity for change in self.changes)

    def __str__(self):
        noun = "change" if len(self.changes) == 1 else "changes"
        kept = "the same predictions" if self.identity else "other predictions"
        lines = [
            f"{len(self.changes)} {noun} in a new model with {kept} and "
            f"{self.parameters:+,} parameters; compile it before `fit`"
        ]
        lines += [f"  {change}" for change in self.changes]
        lines += [f"  not at {path}: {why}" for path, why in self.skipped.items()]
        return "\n".join(lines)
