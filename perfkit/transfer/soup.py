"""The report of a soup of models."""

import dataclasses

import keras


@dataclasses.dataclass(frozen=True)
class Soup:
    """Report which models went into a mean of weights, and what it scores.

    Attributes:
        model: The mean, a new `keras.Model` that is not compiled.
        members: Which of the models went in, in that order, counted from 0.
        score: Score of the mean.
        scores: Score of each model alone.
        tried: Score of the mean with each model, when it was tried.
    """

    model: keras.Model = dataclasses.field(repr=False, compare=False)
    members: tuple[int, ...]
    score: float
    scores: tuple[float, ...]
    tried: tuple[float, ...]

    def __str__(self):
        many = f"{len(self.members)} of {len(self.scores)} models"
        best = max(self.scores)
        lines = [f"{many}, score {self.score:.6g}; the best alone {best:.6g}"]
        lines.append("  model      alone       with  in")
        for number in ranked(self.scores):
            inside = "yes" if number in self.members else "no"
            alone, tried = self.scores[number], self.tried[number]
            lines.append(f"  {number:5d} {alone:10.6g} {tried:10.6g}  {inside}")
        return "\n".join(lines)


def ranked(scores) -> list[int]:
    """Numbers of the models, the best first, of equals the first."""
    return sorted(range(len(scores)), key=lambda number: -scores[number])
