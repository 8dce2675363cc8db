"""Every regularizing and optimizing trick alone against the baseline.

    python -m benchmarks.tricks --out docs/results.jsonl            # all: hours
    python -m benchmarks.tricks --out docs/results.jsonl --only L2  # some, by name
    python -m benchmarks.tricks --out docs/results.jsonl --cost     # time of a step
    python -m benchmarks.tricks --out docs/results.jsonl --report docs/results.md

Each training adds a line to the file; stop whenever you like, and the same command goes
on where it was. A number that has to be chosen, the baseline's rate too, is chosen on a
quarter of the training images, held out in a training with another seed; the test
images are looked at in the end only. A new trick is an entry in one of the tables
beside this file.
"""

import argparse
import fnmatch
import json
import pathlib
import sys

import tqdm

from benchmarks.tricks import jobs, report, setting
from benchmarks.tricks.records import Records
from benchmarks.tricks.table import TRICKS


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tricks", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the records")
    parser.add_argument("--only", action="append", help="a pattern of names")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--limit", type=int, help="images, to see that it works")
    parser.add_argument("--processes", type=int, default=1, help="one core each")
    parser.add_argument("--cost", action="store_true", help="time steps, train nothing")
    parser.add_argument("--rounds", type=int, default=9, help="of timings")
    parser.add_argument("--report", type=pathlib.Path, help="write this page only")
    parser.add_argument("--json", type=pathlib.Path, help="file to write figures to")
    args = parser.parse_args(arguments)
    args.names = [
        name
        for name in TRICKS
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in args.only or ["*"])
    ]
    if not args.names:
        parser.error(f"no trick is called {' or '.join(args.only)}")
    if setting.CHOOSING_SEED in args.seeds:
        parser.error(
            f"seed {setting.CHOOSING_SEED} is the one that numbers are chosen with"
        )
    return args


def main(arguments=None):
    args = parse(arguments)
    records = Records(args.out)
    failed = 0
    if not args.report:
        failed = work(args, records)
    if args.report:
        args.report.write_text(report.page(records.all))
    if args.json:
        rows = report.rows(records.all)
        args.json.write_text(json.dumps(rows, indent=2) + "\n")
    return failed


def work(args, records):
    plan = jobs.Plan(args.names, args.seeds, args.epochs, args.limit, records)
    if args.cost:
        with tqdm.tqdm(total=len(args.names), unit="trick") as bar:
            return jobs.time_costs(plan, records, bar, args.rounds)
    total = (plan.count() - plan.done()) * args.epochs
    failed = 0
    with tqdm.tqdm(total=total, unit="epoch") as bar:
        for phase in plan.phases():
            failed += jobs.run(plan.missing(phase), records, args.processes, bar)
    print(*jobs.shown(plan), sep="\n")
    print(report.table(report.rows(records.all)))
    return failed


if __name__ == "__main__":
    sys.exit(main())
