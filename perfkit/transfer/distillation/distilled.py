"""What distillation brought, beside training without a teacher."""

import dataclasses
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class DistilledRun:
    """Students and control of one seed.

    Attributes:
        seed: Its number.
        students: The student of each generation.
        control: The same student trained without a teacher, or None.
        histories: What `fit` noted of each student, a dict of lists. Of one that
            learnt in a `MutualLearning`, metrics of training are means over all
            students, those of validation its own, after the last epoch.
        control_history: The same of the control, or None.
        teacher_scores: What `evaluate` says of the teacher, by metric, of predictions
            brought to the form of the student's; empty if there are no validation data,
            the teacher is the control, or it is not known to predict what the student
            does.
    """

    seed: int
    students: list[Any]
    control: Any
    histories: list[dict[str, list[float]]]
    control_history: dict[str, list[float]] | None
    teacher_scores: dict[str, float]


@dataclasses.dataclass(frozen=True)
class Distilled:
    """Outcome of `distill`. Printed, a table of the student with and without teacher.

    Attributes:
        runs: One for each seed.
    """

    runs: list[DistilledRun]

    @property
    def student(self) -> Any:
        """The trained student, of the first seed and the last generation."""
        return self.runs[0].students[-1]

    @property
    def control(self) -> Any:
        """The same student trained without a teacher, of the first seed, or None."""
        return self.runs[0].control

    @property
    def history(self) -> dict[str, list[float]]:
        """What `fit` noted of `student`."""
        return self.runs[0].histories[-1]

    @property
    def control_history(self) -> dict[str, list[float]] | None:
        """What `fit` noted of `control`."""
        return self.runs[0].control_history

    def scores(self) -> dict[str, dict[str, list[float]]]:
        """Values after the last epoch: by metric, then by who it is, one a seed.

        Of validation data if there were some, else of training. Metrics are what was
        compiled, or else the loss. The difference is that with a teacher less that
        without one: of a loss it is better below 0.
        """
        keys = list(self.history)
        if any(key.startswith("val_") for key in keys):
            keys = [key for key in keys if key.startswith("val_")]
        own = ("loss", "distillation_loss")
        keys = [key for key in keys if key.removeprefix("val_") not in own] or [
            key for key in keys if key.removeprefix("val_") == "loss"
        ]
        return {key: self._columns(key) for key in keys}

    def _columns(self, key):
        columns = {}
        name = key.removeprefix("val_")
        if all(name in run.teacher_scores for run in self.runs):
            columns["teacher"] = [run.teacher_scores[name] for run in self.runs]
        if all(run.control_history for run in self.runs):
            controls = [run.control_history or {} for run in self.runs]
            columns["no teacher"] = [control[key][-1] for control in controls]
        generations = len(self.runs[0].students)
        for number in range(generations):
            title = f"generation {number + 1}" if generations > 1 else "with teacher"
            columns[title] = [run.histories[number][key][-1] for run in self.runs]
        if "no teacher" in columns:
            pairs = zip(
                *list(columns.values())[-1:], columns["no teacher"], strict=True
            )
            columns["difference"] = [last - control for last, control in pairs]
        return columns

    def __str__(self):
        lines: list[str] = []
        for key, columns in self.scores().items():
            lines += _table(key, [run.seed for run in self.runs], columns)
        if self.control is None:
            lines.append("No control was run: what the teacher helped is unknown.")
        return "\n".join(lines)


def _table(title, seeds, columns):
    wide = max(20, *map(len, [title]))
    lines = [f"{title:{wide}s}" + "".join(f"{name:>18s}" for name in columns)]
    for place, seed in enumerate(seeds):
        cells = "".join(f"{values[place]:>18.4f}" for values in columns.values())
        lines.append(f"{f'seed {seed}':{wide}s}{cells}")
    if len(seeds) > 1:
        cells = "".join(
            f"{f'{np.mean(values):.4f} ± {np.std(values, ddof=1):.4f}':>18s}"
            for values in columns.values()
        )
        lines.append(f"{'mean ± deviation':{wide}s}{cells}")
    return lines
