"""The page that shows the figures of the file."""

from benchmarks.costs.rows import BATCH, INPUTS, ROWS

BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX"}
_NOTHING = "-"
_HEAD = """# What a layer costs

A step of training through one layer of `perfkit.layers`, forward and backward,
compiled by XLA, in float32, in batches of {batch}. This page is made by
`benchmarks/layers.py` from [layer_costs.json](layer_costs.json).

- *time*: how many times as long a step takes as one through the yardstick of the same
  inputs, which ran before and after it; medians of at least {repeats}. Differences of a
  few percent say nothing, and no more do those between figures below 0.1. Inside a
  model, what goes place by place is often fused with its neighbours and costs less.
- *temporaries*: MiB that the program needs besides inputs, parameters and the gradients
  of both, as the compiler says.
- *parameters*: those that are trained.

    python -m benchmarks.layers --write
    KERAS_BACKEND=jax python -m benchmarks.layers --write
"""


def page(costs):
    """The page, of what the file holds: a report for each backend."""
    repeats = min((report["repeats"] for report in costs.values()), default=9)
    parts = [_HEAD.format(batch=BATCH, repeats=repeats), *_machines(costs)]
    for name, inputs in INPUTS.items():
        parts.append(f"## {inputs.title}\n\n{_table(costs, name)}\n")
    return "\n".join(parts)


def _machines(costs):
    lines = [
        f"- {said}: {costs[name]['versions']}, {costs[name]['device']}"
        if name in costs
        else f"- {said}: not measured yet"
        for name, said in BACKENDS.items()
    ]
    return ["\n".join(lines) + "\n"]


def _table(costs, inputs):
    heads = ["layer", "with"]
    heads += [f"time, {said}" for said in BACKENDS.values()]
    heads += [f"temporaries, {said}" for said in BACKENDS.values()]
    heads += ["parameters"]
    rows = [("yardstick", "", "yardsticks", inputs)]
    rows += [
        (f"`{row.name}`", row.described(), "rows", row.name)
        for row in ROWS
        if row.inputs == inputs
    ]
    lines = []
    for label, arguments, group, key in rows:
        found = [costs.get(name, {}).get(group, {}).get(key) for name in BACKENDS]
        times = [_NOTHING if x is None else f"{x['ratio']:.2f}" for x in found]
        sizes = [_size(x) for x in found]
        known = [x["parameters"] for x in found if x is not None]
        count = f"{known[0]:,}" if known else _NOTHING
        lines.append([label, _code(arguments), *times, *sizes, count])
    shown = ["| " + " | ".join(cells) + " |" for cells in [heads, *lines]]
    return "\n".join([shown[0], "|---" * len(heads) + "|", *shown[1:]])


def _code(arguments):
    return f"`{arguments}`" if "=" in arguments else arguments


def _size(found):
    if found is None or found["temporary_mib"] is None:
        return _NOTHING
    return f"{found['temporary_mib']:.1f}"
