"""What was found so far: one line of JSON for each training or timing."""

import collections
import json
import pathlib

KINDS = ("trial", "run", "cost")  # to choose a number, to report, to time
KEY = (
    "kind",
    "trick",
    "set",
    "seed",
    "rate",
    "value",
    "epochs",
    "images",
    "backend",
)


class Records:
    """A file of records, to which lines are only ever added."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.all = []
        if self.path.exists():
            lines = self.path.read_text().splitlines()
            self.all = [json.loads(line) for line in lines if line.endswith("}")]
            if len(self.all) < len(lines):  # the last one was cut off
                text = "".join(json.dumps(record) + "\n" for record in self.all)
                self.path.write_text(text)
        self._keys = {key(record): record for record in self.all}

    def find(self, **wanted):
        return self._keys.get(key(wanted))

    def add(self, record):
        self.all.append(record)
        self._keys[key(record)] = record
        with self.path.open("a") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")


def key(record):
    return tuple(record.get(name) for name in KEY)


def choose_rate(accuracies):
    """The rate, or other number, with the best accuracy on what was held out.

    Of equals the first one of the grid. `accuracies` are by number.
    """
    return max(accuracies, key=accuracies.get)


def runs_by_trick(records):
    """`{trick: {seed: record}}` of the trainings that are reported."""
    runs = collections.defaultdict(dict)
    for record in records:
        if record["kind"] == "run":
            runs[record["trick"]][record["seed"]] = record
    return runs
