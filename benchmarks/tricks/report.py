"""The page, made of nothing but the records."""

import math
import statistics

from benchmarks.tricks.records import runs_by_trick
from benchmarks.tricks.table import TRICKS

HEAD = """\
# What each trick gains by itself

Every trick of perfkit that regularizes or optimizes, alone against the baseline: the
network of the quickstart and its data, {images:,} images to train on and {evaluated:,}
to test on, {epochs} epochs in batches of 64, seeds {seeds}. A seed has the same initial
kernels and the same order of images with the trick and without. Negatives included.

- *accuracy*: on the test images, in percent, mean ± deviation of the seeds.
- *gain*: mean of the differences to the baseline with the same seed, in points, ± its
  standard error.
- *evidence*: "none" where the gain is within two standard errors, its own or the one
  that all rows together have ({pooled:.2f} points). {count} seeds show little: without
  any effect, the gain of a row is beyond two errors of its own in {chance:.0f} of 100
  tables, which is why both are asked for. Among {rows} rows some may still be there by
  chance, and what is "none" here may be worth something in longer trainings, in larger
  networks or on other data.
- *cost*: how many times as long a step takes as one of the baseline: medians of short
  runs that took turns in one process, which had {cores} of the machine's CPU cores.
  Differences of a few percent say nothing.
- *memory*: how many times as many numbers are kept while training as with the baseline:
  parameters, statistics and the optimizer's own. *parameters*: how many more are
  trained.
- *chosen*: the rate, or the strength where that is said, that did best on {held_out:,}
  of the training images, held out in one training on the rest with another seed. The
  baseline's rate was chosen in the same way, and tricks without a choice of their own
  have it too. An asterisk: at the edge of what was tried. All other numbers are from
  the papers, or the defaults.
"""

MADE = """\
## How it was made

    python -m benchmarks.tricks --out docs/results.jsonl
    python -m benchmarks.tricks --out docs/results.jsonl --cost
    python -m benchmarks.tricks --out docs/results.jsonl --report docs/results.md

{versions}. `docs/results.jsonl` holds every training, those of the choices too.
"""


def rows(records):
    """One dictionary for each trick that was trained, in the order of the page."""
    runs = runs_by_trick(records)
    unknown = sorted(set(runs) - set(TRICKS))
    if unknown:
        raise ValueError(f"records of what is no trick any more: {', '.join(unknown)}")
    costs = {r["trick"]: r["cost"] for r in records if r["kind"] == "cost"}
    made = [_row(TRICKS[name], runs, records, costs) for name in TRICKS if name in runs]
    pooled = pooled_error(made)
    for row in made:
        row["evidence"] = evidence(row, pooled)
    families = list(dict.fromkeys(trick.family for trick in TRICKS.values()))
    return sorted(
        made, key=lambda row: (families.index(row["family"]), -(row["gain"] or 0.0))
    )


def _row(trick, runs, records, costs):
    mine, base = runs[trick.name], runs.get(trick.base, {})
    accuracies = [100 * run["accuracy"] for run in mine.values()]
    shared = [seed for seed in mine if seed in base]
    gains = [100 * (mine[s]["accuracy"] - base[s]["accuracy"]) for s in shared]
    run = next(iter(mine.values()))
    reference = next(iter((base or runs.get("baseline", mine)).values()))
    return {
        "trick": trick.name,
        "family": trick.family,
        "base": trick.base,
        "paper": trick.paper,
        "set": run["set"],
        "chosen": _chosen(trick, run, records),
        "accuracy": statistics.mean(accuracies),
        "deviation": _deviation(accuracies),
        "gain": statistics.mean(gains) if gains else None,
        "error": _deviation(gains) / math.sqrt(len(gains)) if gains else None,
        "cost": costs.get(trick.name, None if trick.base else 1.0),
        "memory": run["kept"] / reference["kept"],
        "parameters": run["parameters"] - reference["parameters"],
    }


def _deviation(values):
    return statistics.stdev(values) if len(values) > 1 else math.nan


def _chosen(trick, run, records):
    """What was chosen, in words, with an asterisk at the edge of the grid."""
    if run["value"] is None:
        return ""
    tried = tried_of(run, records)
    edge = run["value"] in (min(tried), max(tried))
    what = "" if trick.chosen == "rate" else f"{trick.chosen} "
    return f"{what}{run['value']:g}{'*' if edge else ''}"


def tried_of(run, records):
    """`{number: accuracy}` of what was tried before a run."""
    same = ("trick", "set", "epochs", "backend")
    return {
        record["value"]: record["accuracy"]
        for record in records
        if record["kind"] == "trial" and all(record[k] == run[k] for k in same)
    }


def pooled_error(made):
    """The standard error of a gain, from the deviations of all rows together."""
    errors = [row["error"] for row in made if row["error"] is not None]
    errors = [error for error in errors if not math.isnan(error)]
    squares = [error**2 for error in errors]
    return math.sqrt(statistics.mean(squares)) if squares else math.nan


def evidence(row, pooled):
    if row["gain"] is None:
        return ""
    bar = 2 * max(row["error"], pooled)
    if not abs(row["gain"]) > bar:  # nor where there is but one seed
        return "none"
    return "**better**" if row["gain"] > 0 else "worse"


def page(records):
    made = rows(records)
    runs = [record for record in records if record["kind"] == "run"]
    alike = ("epochs", "images", "evaluated")
    same = {name: _only(runs, name) for name in alike}
    _only(runs, "backend")
    seeds = sorted({run["seed"] for run in runs})
    trials = [record for record in records if record["kind"] == "trial"]
    costs = [record for record in records if record["kind"] == "cost"]
    text = HEAD.format(
        **same,
        seeds=", ".join(map(str, seeds)),
        count=len(seeds),
        chance=100 * beyond_two_errors(len(seeds)),
        rows=sum(bool(row["base"]) for row in made),
        pooled=pooled_error(made),
        held_out=_only(trials, "evaluated"),
        cores=_only(costs or runs, "cores"),
    )
    for name in dict.fromkeys(row["family"] for row in made):
        text += f"\n## {name[0].upper()}{name[1:]}\n\n"
        text += table([row for row in made if row["family"] == name])
    return text + "\n" + MADE.format(versions=_versions(runs))


def table(made):
    lines = [
        "| trick | accuracy, % | gain | evidence | cost | memory | parameters |"
        " chosen | what was set |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join(lines + [_line(row) for row in made]) + "\n"


def _line(row):
    said = [row["set"]] if row["set"] else []
    if row["base"] not in ("", "baseline"):
        said.append(f"against *{row['base']}*")
    if row["paper"]:
        said.append(f"{'arXiv ' * row['paper'][0].isdigit()}{row['paper']}")
    gain = "" if row["gain"] is None else f"{row['gain']:+.2f} ± {row['error']:.2f}"
    cells = [
        row["trick"],
        f"{row['accuracy']:.2f} ± {row['deviation']:.2f}",
        gain,
        row["evidence"],
        "" if row["cost"] is None else f"{row['cost']:.2f}",
        f"{row['memory']:.2f}",
        f"{row['parameters']:+,}" if row["parameters"] else "",
        row["chosen"],
        "; ".join(said),
    ]
    return f"| {' | '.join(cells)} |"


def _only(runs, name):
    values = {run[name] for run in runs}
    if len(values) != 1:
        raise ValueError(f"the records are of several {name}: {sorted(values)}")
    return values.pop()


def _versions(runs):
    said = [
        f"perfkit {_list(runs, 'perfkit')}",
        f"Keras {_list(runs, 'keras')}",
        f"{_list(runs, 'backend')} backend",
    ]
    dates = sorted({run["date"] for run in runs})
    return ", ".join([*said, " to ".join(dict.fromkeys((dates[0], dates[-1])))])


def _list(runs, name):
    return " and ".join(sorted({run[name] for run in runs}))


def beyond_two_errors(count):
    """How often a mean of so many normal values is two of its errors from the truth."""
    if count < 2:
        return 1.0
    # Student's t of `count - 1` degrees of freedom: the density, added up by halves of
    # a thousandth.
    free, step = count - 1, 5e-4
    norm = math.gamma((free + 1) / 2) / math.gamma(free / 2) / math.sqrt(free * math.pi)
    inside = sum(
        (1 + ((k + 0.5) * step) ** 2 / free) ** (-(free + 1) / 2) * step
        for k in range(round(2 / step))
    )
    return 1 - 2 * norm * inside
