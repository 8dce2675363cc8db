"""What compression gains and costs, side by side in one run.

    python -m benchmarks.compress                        # all, about 40 minutes
    python -m benchmarks.compress --only sizes           # MobileNetV2's files
    python -m benchmarks.compress --only trained --seeds 1 2 3
    python -m benchmarks.compress --only sweep           # networks of Keras
    python -m benchmarks.compress --only masks           # against tfmot
    python -m benchmarks.compress --json compress.json

Files are timed in turn, one thread and batch 1, and ratios are medians of those within
a round: believe these, not the milliseconds, which depend on the machine and its load.
"""

import argparse
import json
import os
import pathlib
import statistics
import tempfile

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.compressing import masks, sizes, sweep, trained


def table(rows, columns):
    """Print rows by name, with some of their figures."""
    width = max(map(len, rows))
    print(f"{'':{width}}  " + "  ".join(f"{name:>13}" for name, _ in columns))
    for name, row in rows.items():
        cells = (format(row[key], form) for key, form in columns)
        print(f"{name:{width}}  " + "  ".join(f"{cell:>13}" for cell in cells))


def spread(values):
    """Mean and deviation as text."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.2f} ± {deviation:.2f}"


def run_sizes(arguments, folder):
    rows = sizes.run(folder)
    columns = [("bytes", ",d"), ("times_smaller", ".2f"), ("times_smaller_gzip", ".2f")]
    table(rows, [*columns, ("ms", ".3f"), ("times_as_fast", ".2f"), ("sqnr", ".1f")])
    return rows


def run_trained(arguments, folder):
    found = {}
    for name in trained.NETWORKS:
        runs = []
        for seed in arguments.seeds:
            runs.append(trained.one(name, seed, folder, short=arguments.short))
            print(name, "seed", seed)
            columns = [("accuracy", ".4f"), ("accuracy_in_keras", ".4f")]
            columns += [("agreement", ".4f"), ("bytes", ",d"), ("times_smaller", ".2f")]
            table(runs[-1], [*columns, ("ms", ".4f"), ("times_as_fast", ".2f")])
        found[name] = runs
        print(name, "means and deviations of", len(runs), "seeds, points of accuracy")
        for stage in runs[0]:
            points = [100 * r[stage]["accuracy"] for r in runs]
            lost = [100 * r["float"]["accuracy"] for r in runs]
            lost = [a - b for a, b in zip(lost, points, strict=True)]
            each = ", ".join(f"{loss:+.2f}" for loss in lost)
            print(f"   {stage:36} {spread(points)}, lost {spread(lost)} ({each})")
    return found


def run_sweep(arguments, folder):
    rows = sweep.run(folder)
    for name, row in rows.items():
        print(name, json.dumps(row, indent=2))
    return rows


def run_masks(arguments, folder):
    return masks.run()


PARTS = {
    "sizes": run_sizes,
    "trained": run_trained,
    "sweep": run_sweep,
    "masks": run_masks,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--short", action="store_true", help="one epoch of each kind")
    parser.add_argument("--json", type=pathlib.Path, help="file to write figures to")
    arguments = parser.parse_args()
    found = {}
    for part in arguments.only:
        print(f"\n== {part}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found[part] = PARTS[part](arguments, pathlib.Path(folder))
        if arguments.json:
            arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
