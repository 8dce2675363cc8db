"""What a step of training costs with each layer of perfkit, beside a convolution.

    python -m benchmarks.layers                      # TensorFlow backend, some minutes
    KERAS_BACKEND=jax python -m benchmarks.layers --json layers_jax.json
    python -m benchmarks.layers --only "*Pool*"
    python -m benchmarks.layers --write              # docs/layer_costs.json and .md
    python -m benchmarks.layers --page               # the page alone, of the same file

The yardstick runs before and after each layer, and figures are medians of ratios of
neighbouring runs: believe these, not the milliseconds, which depend on the machine and
its load. `--write` changes the figures of its backend, and of the layers that were
measured. A new layer is a line in `benchmarks/costs/rows.py`.
"""

import argparse
import fnmatch
import json
import os
import pathlib
import platform
import statistics

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from benchmarks.costs import page
from benchmarks.costs.rows import BATCH, INPUTS, ROWS
from benchmarks.costs.steps import Step

DOCS = pathlib.Path(__file__).parent.parent / "docs"
FILE, PAGE = DOCS / "layer_costs.json", DOCS / "layer_costs.md"


def figures(step, ratios):
    temporary = step.temporary_bytes
    return {
        "ratio": round(statistics.median(ratios), 4),
        "spread": [round(min(ratios), 4), round(max(ratios), 4)],
        "temporary_mib": None if temporary is None else round(temporary / 2**20, 3),
        "parameters": step.parameters,
    }


def compare(base, step, repeats, steps):
    """Figures of a step beside another one, which runs before and after it."""
    ratios = []
    for _ in range(repeats):
        before = base.milliseconds(steps)
        middle = step.milliseconds(steps)
        after = base.milliseconds(steps)
        ratios.append(2 * middle / (before + after))
    return figures(step, ratios)


def measured(rows, repeats, steps, batch=BATCH):
    """Figures of rows and of their yardsticks, by name, as they are found."""
    for name, inputs in INPUTS.items():
        chosen = [row for row in rows if row.inputs == name]
        if not chosen:
            continue
        base = Step(inputs.yardstick(), inputs.shape, batch)
        yield "yardsticks", name, compare(base, base, repeats, steps)
        for row in chosen:
            step = Step(row.make(), inputs.shape, batch)
            yield "rows", row.name, compare(base, step, repeats, steps)


def versions():
    backend = keras.backend.backend()
    module = __import__(backend)
    return f"Keras {keras.__version__}, {page.BACKENDS[backend]} {module.__version__}"


def device():
    if keras.backend.backend() == "jax":
        import jax

        kind = jax.devices()[0].device_kind
    else:
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        details = found and tf.config.experimental.get_device_details(found[0])
        kind = details.get("device_name", "GPU") if found else "cpu"
    if kind != "cpu":
        return kind
    return f"{platform.machine()}, {len(os.sched_getaffinity(0))} CPU cores"


def merged(costs, report):
    """What a file holds after a run, in an order of its own."""
    backend = keras.backend.backend()
    before = costs.get(backend, {})
    for group in ("rows", "yardsticks"):
        report = {**report, group: before.get(group, {}) | report[group]}
    known = {row.name for row in ROWS}
    report["rows"] = {k: v for k, v in sorted(report["rows"].items()) if k in known}
    return dict(sorted({**costs, backend: report}.items()))


def read():
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def write(costs):
    FILE.write_text(json.dumps(costs, indent=1) + "\n")
    PAGE.write_text(page.page(costs))


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.layers", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", default="*", help="shell-style pattern of a name")
    parser.add_argument("--repeats", type=int, default=9, help="runs of each layer")
    parser.add_argument("--steps", type=int, default=3, help="steps of a run")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there")
    parser.add_argument("--write", action="store_true", help="file and page in docs")
    parser.add_argument("--page", action="store_true", help="the page alone")
    args = parser.parse_args(arguments)
    args.rows = [row for row in ROWS if fnmatch.fnmatchcase(row.name, args.only)]
    if not args.rows:
        parser.error(f"no layer is called {args.only}")
    if args.write and "xla_backend_optimization_level" in os.environ.get(
        "XLA_FLAGS", ""
    ):
        parser.error("XLA_FLAGS asks for programs that XLA does not optimize")
    return args


def main(arguments=None):
    args = parse(arguments)
    if args.page:
        write(read())
        return
    print(versions())
    report = {
        "versions": versions(),
        "device": device(),
        "repeats": args.repeats,
        "rows": {},
        "yardsticks": {},
    }
    for group, name, found in measured(args.rows, args.repeats, args.steps):
        report[group][name] = found
        low, high = found["spread"]
        temporary = found["temporary_mib"]
        size = "-" if temporary is None else f"{temporary:.1f} MiB"
        print(
            f"  {name:28} {found['ratio']:6.2f}  ({low:.2f} to {high:.2f})"
            f"  {size:>10}  {found['parameters']:9,d} parameters",
            flush=True,
        )
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    if args.write:
        write(merged(read(), report))


if __name__ == "__main__":
    main()
