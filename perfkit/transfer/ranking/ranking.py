"""What was found out about pretrained models, as a table and as a picture."""

import csv
import dataclasses
import json
import math
import pathlib
from typing import TYPE_CHECKING

import numpy as np

from perfkit import _check

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEAN_RANK = "mean_rank"
COSTS = ("latency_ms", "macs", "parameters")


@dataclasses.dataclass(frozen=True)
class Row:
    """What was found out about one candidate.

    Attributes:
        name: Its name.
        scores: Value of each score by its name; NaN where there is none. Higher is
            better.
        parameters: How many weights it has.
        macs: Multiply-accumulates of one sample.
        latency_ms: Milliseconds that the prediction of a batch takes.
        note: What else is to be said: that images were resized, what was not counted.
        error: Why there is nothing, or less, to be said; empty if all went well.
    """

    name: str
    scores: dict[str, float] = dataclasses.field(default_factory=dict)
    parameters: int | None = None
    macs: int | None = None
    latency_ms: float | None = None
    note: str = ""
    error: str = ""

    def value(self, name) -> float:
        """Return a score or cost by its name, NaN if there is none."""
        found = getattr(self, name) if name in COSTS else self.scores.get(name)
        return math.nan if found is None else float(found)


class Ranking:
    """Pretrained models in the order of how well they suit some data.

    Made by `rank_backbones`. Printed, it is a table.

    Args:
        rows: Rows of one or more candidates, each with `name`, `scores`, `parameters`,
            `macs`, `latency_ms`, `note` and `error`.
        by: Name of the score that orders them, the highest first; or `"mean_rank"`,
            the mean of a candidate's ranks by the scores that all candidates have.

    Raises:
        ValueError: If `by` is neither `"mean_rank"` nor a score that a row has.

    Example:
        >>> from perfkit.transfer.ranking.ranking import Row
        >>> rows = [Row("small", {"knn": 0.7}), Row("large", {"knn": 0.9})]
        >>> ranking = Ranking(rows, "knn")
        >>> ranking.best
        'large'
        >>> [row.name for row in ranking.rows]
        ['large', 'small']

    Reference: none.
    """

    def __init__(self, rows, by="mean_rank"):
        self._names = list(dict.fromkeys(name for row in rows for name in row.scores))
        choices = [MEAN_RANK, *self._names]
        self.by = _check.one_of("Ranking", "by", by, choices) if self._names else by
        self.mean_ranks = _mean_ranks(rows, self._names)
        self.rows = sorted(rows, key=self._place)

    def _place(self, row):
        ranked = self.by == MEAN_RANK
        value = self.mean_ranks[row.name] if ranked else -row.value(self.by)
        return math.inf if math.isnan(value) else value

    @property
    def best(self) -> str:
        """Name of the candidate that comes first; an error if it has no score."""
        first = self.rows[0]
        if self._place(first) == math.inf:
            said = f": {first.error}" if first.error else ""
            raise ValueError(f"no candidate has a score {self.by!r}{said}")
        return first.name

    def sorted_by(self, score) -> "Ranking":
        """Return the same candidates in the order of another score.

        Args:
            score: Name of the score, or `"mean_rank"`.
        """
        return Ranking(self.rows, score)

    def __repr__(self):
        costs = ["parameters", "MACs", "ms"]
        columns = [MEAN_RANK, *self._names]
        head = ["", *(n + " v" * (n == self.by) for n in columns), *costs, ""]
        lines = [head] + [self._cells(row) for row in self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(map(_line, lines, [widths] * len(lines)))

    def _cells(self, row):
        scores = [_number(row.value(name), "{:.4f}") for name in self._names]
        counts = [_large(row.parameters), _large(row.macs)]
        speed = _number(row.value("latency_ms"), "{:.1f}")
        remarks = "; ".join(text for text in (row.error, row.note) if text)
        place = _number(self.mean_ranks[row.name], "{:.1f}")
        return [row.name, place, *scores, *counts, speed, remarks]

    def records(self) -> list[dict]:
        """Return a flat dict for each row, such as a table of pandas is made of."""
        return [
            {
                "name": row.name,
                MEAN_RANK: _or_none(self.mean_ranks[row.name]),
                **{name: _or_none(row.value(name)) for name in self._names},
                **{name: getattr(row, name) for name in COSTS},
                "note": row.note,
                "error": row.error,
            }
            for row in self.rows
        ]

    def to_csv(self, path) -> None:
        """Write the table as a file of comma-separated values.

        Args:
            path: Of the file.
        """
        records = self.records()
        with pathlib.Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, records[0])
            writer.writeheader()
            writer.writerows(records)

    def to_json(self, path) -> None:
        """Write the table as a JSON file.

        Args:
            path: Of the file.
        """
        text = json.dumps({"by": self.by, "rows": self.records()}, indent=1)
        pathlib.Path(path).write_text(text + "\n", encoding="utf-8")

    def plot(
        self, path=None, *, score=None, cost="latency_ms", size=(7.0, 4.5)
    ) -> "Figure":
        """Draw what quality costs: a point for each candidate.

        A line joins those that no other one surpasses in both. Those that cost nothing
        have no place on a logarithmic axis. It needs matplotlib, which
        `pip install 'perfkit[transfer]'` installs.

        Args:
            path: Of a file to write the picture to, if not `None`.
            score: Name of the score; by default the one that orders the rows, or
                the first one if that is their mean rank.
            cost: `"latency_ms"`, `"macs"` or `"parameters"`.
            size: Width and height, in inches.

        Returns:
            `matplotlib.figure.Figure`, of which `pyplot` knows nothing.
        """
        if score is None:
            score = self._names[0] if self.by == MEAN_RANK else self.by
        score = _check.one_of("plot", "score", score, self._names)
        cost = _check.one_of("plot", "cost", cost, COSTS)
        size = _check.margins("plot", "size", size, 0.5, 100.0)
        _check.installed("transfer.Ranking.plot", "matplotlib", "transfer")
        from perfkit.transfer.ranking._pareto import draw

        points = [(row.name, row.value(cost), row.value(score)) for row in self.rows]
        known = [p for p in points if 0.0 < p[1] < math.inf and math.isfinite(p[2])]
        if not known:
            expected = "a cost above 0 that is known of one candidate or more"
            _check.fail("plot", "cost", expected, cost)
        figure = draw(known, cost, score, size)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure


def _mean_ranks(rows, names):
    """Mean ranks of the candidates, by their names; 1 is the best."""
    judged = [row for row in rows if any(math.isfinite(row.value(n)) for n in names)]
    table = np.array([[row.value(name) for name in names] for row in judged])
    found = dict.fromkeys((row.name for row in rows), math.nan)
    table = table[:, np.isfinite(table).all(axis=0)] if judged else table
    if table.size:
        above = (table[None] > table[:, None]).sum(axis=1)
        alike = (table[None] == table[:, None]).sum(axis=1)
        ranks = (above + (alike + 1) / 2).mean(axis=1).tolist()
        found.update(zip((row.name for row in judged), ranks, strict=True))
    return found


def _line(cells, widths):
    first, *middle, last = cells
    width, *rest, _ = widths
    right = [cell.rjust(w) for cell, w in zip(middle, rest, strict=True)]
    return "  ".join([first.ljust(width), *right, last]).rstrip()


def _number(value, form):
    return "-" if math.isnan(value) else form.format(value)


def _large(count):
    """A count to three digits, such as 4.25 M."""
    if count is None:
        return "-"
    for unit, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if count >= unit:
            digits = max(0, 2 - int(math.log10(count / unit)))
            return f"{count / unit:.{digits}f}{letter}"
    return str(count)


def _or_none(value):
    return None if math.isnan(value) else value
