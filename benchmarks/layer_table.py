"""What is compared in `benchmarks.layers`, and the page made of its figures."""

import json
import pathlib

import keras

from perfkit import layers

DOCS = pathlib.Path(__file__).parent.parent / "docs"
FIGURES, PAGE = DOCS / "layer_costs.json", DOCS / "layer_costs.md"

# Shapes of what goes in, and beside what a layer is measured there.
SHAPES = {
    "images": (16, 32, 32, 64),
    "steps": (16, 128, 64),
    "heads": (16, 128, 4, 32),
    "vectors": (256, 512),
    "pyramids": [(4, 32, 32, 64), (4, 16, 16, 128), (4, 8, 8, 256)],
}
BESIDE = {
    "images": "`Conv2D(64, 3)`",
    "steps": "`Dense(256)` and `Dense(64)`, one behind the other",
    "heads": "`Dense(128)` on `(16, 128, 128)`",
    "vectors": "`Dense(512)`",
    "pyramids": "a `Conv2D(64, 3)` of each level",
}


def beside(kind):
    """The layers of Keras that those of a kind are measured beside."""
    channels = SHAPES[kind][-1]
    if kind == "images":
        return [keras.layers.Conv2D(channels, 3, padding="same")]
    if kind == "steps":
        return [keras.layers.Dense(4 * channels), keras.layers.Dense(channels)]
    if kind == "pyramids":
        return [_of_each_level]
    if kind == "heads":
        flat, back = (16, 128, 128), SHAPES[kind]
        shapes = [keras.layers.Reshape(shape[1:]) for shape in (flat, back)]
        return [shapes[0], keras.layers.Dense(128), shapes[1]]
    return [keras.layers.Dense(channels)]


def _of_each_level(maps):
    return [keras.layers.Conv2D(64, 3, padding="same")(x) for x in maps]


# By what goes in: the layers and their arguments, where these are not the defaults.
ROWS = {
    "images": {
        layers.ASPP: {"filters": 64},
        layers.AttentionPool: {},
        layers.AttentionPool2D: {},
        layers.BlurPool: {},
        layers.CBAM: {},
        layers.ConcatPool: {},
        layers.CoordinateAttention: {},
        layers.DropBlock2D: {"rate": 0.1, "block_size": 5},
        layers.DropPath: {"rate": 0.1},
        layers.EfficientChannelAttention: {},
        layers.FilterResponseNormalization: {},
        layers.GeM: {},
        layers.GhostBatchNormalization: {"virtual_batch_size": 4},
        layers.GlobalContext: {},
        layers.GlobalMaxPool: {},
        layers.GlobalResponseNormalization: {},
        layers.LayerScale: {},
        layers.NonLocal2D: {"pool_size": 2},
        layers.SPP: {},
        layers.ScaledGaussianNoise: {"stddev": 0.1},
        layers.SelectiveKernel: {"filters": 64},
        layers.SimAM: {},
        layers.SqueezeExcite: {},
        layers.StandardizedConv2D: {
            "filters": 64,
            "kernel_size": 3,
            "padding": "same",
        },
        layers.StochasticDepth: {"rate": 0.1},
        layers.ThresholdedLinearUnit: {},
    },
    "steps": {
        layers.DropBlock1D: {"rate": 0.1, "block_size": 5},
        layers.GEGLU: {},
        layers.SwiGLU: {},
    },
    "heads": {layers.RotaryEmbedding: {}},
    "vectors": {
        layers.CosineDense: {"units": 512},
        layers.MultiSampleDropout: lambda: {"layer": keras.layers.Dense(512)},
        layers.WeightNormalization: lambda: {"layer": keras.layers.Dense(512)},
    },
    "pyramids": {
        layers.BiFPN: {"filters": 64},
        layers.FPN: {"filters": 64},
        layers.PAN: {"filters": 64},
    },
}


def made(kind, layer):
    """The layer of a row, new."""
    arguments = ROWS[kind][layer]
    return layer(**(arguments() if callable(arguments) else arguments))


def said(kind, layer):
    """The arguments of a row, as one would write them."""
    arguments = ROWS[kind][layer]
    if callable(arguments):
        return "around `Dense(512)`"
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items())


def text(figures) -> str:
    """The page, of the figures of each backend by name."""
    order = [name for name in ("tensorflow", "jax") if name in figures]
    heads = [f"{name}: time | memory" for name in order]
    lines = [HEAD.format(versions=_versions(figures, order))]
    for kind, rows in ROWS.items():
        lines += [
            f"\n## {kind.capitalize()} of shape {_shape(kind)}\n",
            f"Beside {BESIDE[kind]}.\n",
            f"| layer | set | weights | {' | '.join(heads)} |",
            "|---|---|---|" + "---|---|" * len(order),
        ]
        for layer in rows:
            name = layer.__name__
            each = [figures[backend]["rows"].get(name) for backend in order]
            if not all(each):
                continue
            cells = [f"{one['time']:.2f} | {one['memory']:.1f}" for one in each]
            weights = f"{each[0]['weights']:,}"
            row = [f"`{name}`", said(kind, layer), weights, *cells]
            lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _shape(kind):
    shape = SHAPES[kind]
    return ", ".join(map(str, shape)) if isinstance(shape, list) else str(shape)


def _versions(figures, order):
    return "; ".join(
        f"{figures[name]['library']}, Keras {figures[name]['keras']}" for name in order
    )


def load() -> dict:
    """The figures that are kept, by backend."""
    return json.loads(FIGURES.read_text()) if FIGURES.exists() else {}


def store(figures) -> None:
    """Keep figures, and make the page of them."""
    FIGURES.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(text(figures))


HEAD = """\
# What layers cost

Each layer of perfkit in a training step, forwards and backwards, compiled by XLA for
two shared CPU cores, beside a layer of Keras that most networks are made of.

- *time*: how many times as long as the layer that it is measured beside; medians of the
  ratios of runs that take turns.
- *memory*: what the compiled program keeps beside inputs and results, in sizes of the
  inputs. XLA may keep nothing where all is one pass.
- *weights*: how many numbers are trained.

Made by `python -m benchmarks.layers --write` and the same with `KERAS_BACKEND=jax`.
{versions}."""
