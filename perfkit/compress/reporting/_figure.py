"""Reports as pictures."""

import math
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from perfkit._drawing import Drawing

_RAW, _GZIP, _PLAIN = "#a9c4de", "#2f6aa8", "#4c72b0"
_COLORS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")
_SPARSE = 0.05  # share of zeros that does not come by chance
_MANY = 70  # layers; of more only those with kernels are drawn


def of_models(report, size) -> Figure:
    """Draw models side by side, and below what their layers lose."""
    models = report.models
    panels = [draw for draw in _PANELS if draw(None, models)]
    noise = _noise(models)
    width = max(3.2 * len(panels), 2.2 + 0.22 * len(noise[0]) if noise else 0.0)
    tall = 0.5 + 0.32 * len(models)
    figure = Drawing(
        size or (min(max(width, 6.5), 16.0), 1.2 + tall + 3.2 * bool(noise))
    )
    above: Any = figure
    if noise:
        parts: Any = figure.subfigures(2, 1, height_ratios=(1.0 + tall, 3.2))
        above, below = parts
        _draw_noise(below.subplots(), report, *noise)
    for place, (axes, draw) in enumerate(
        zip(above.subplots(1, len(panels), squeeze=False)[0], panels, strict=True)
    ):
        draw(axes, models)
        names = [model.name for model in models]
        axes.set_yticks(range(len(models)), names if place == 0 else [])
        axes.set_ylim(len(models) - 0.45, -0.55)
        axes.margins(x=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    return figure


def of_layers(model, size) -> Figure:
    """Draw what the layers of one model weigh, hold and lose."""
    rows = [row for row in model.layers if row.counts]
    if len(rows) > _MANY:
        rows = [row for row in rows if row.sparsity is not None]
    parts = [_layer_bytes]
    parts += [_layer_zeros] * any((row.sparsity or 0.0) >= _SPARSE for row in rows)
    parts += [_layer_noise] * any(row.sqnr is not None for row in rows)
    figure = Drawing(size or (3.0 + 2.7 * len(parts), 1.3 + 0.2 * max(3, len(rows))))
    every = figure.subplots(1, len(parts), sharey=True, squeeze=False)[0]
    for axes, draw in zip(every, parts, strict=True):
        draw(axes, rows)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
    names = [_short(row.path) for row in rows]
    every[0].set_yticks(range(len(rows)), names, fontsize=8, parse_math=False)
    every[0].set_ylim(len(rows) - 0.4, -0.6)
    figure.suptitle(model.name, fontsize=10, parse_math=False)
    return figure


def _sizes(axes, models):
    known = all(model.lite_bytes is not None for model in models)
    prefix = "lite" if known else "weight"
    raw = [getattr(model, f"{prefix}_bytes") for model in models]
    small = [getattr(model, f"{prefix}_gzip_bytes") for model in models]
    if axes is None:
        return True
    places = range(len(models))
    bars = axes.barh([p - 0.2 for p in places], raw, 0.38, color=_RAW, label="raw")
    axes.bar_label(bars, [_bytes(x) for x in raw], padding=3, fontsize=8)
    bars = axes.barh([p + 0.2 for p in places], small, 0.38, color=_GZIP, label="gzip")
    axes.bar_label(bars, [_bytes(x) for x in small], padding=3, fontsize=8)
    what = ".tflite" if known else "weights"
    axes.set_title(f"{what}, bytes: raw and after gzip", fontsize=9)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    return True


def _quality(axes, models):
    known = [(p, m.quality) for p, m in enumerate(models) if m.quality is not None]
    if axes is None:
        return bool(known)
    values = [value for _, value in known]
    bars = axes.barh([p for p, _ in known], values, 0.6, color=_PLAIN)
    axes.bar_label(bars, [f"{value:.4g}" for value in values], padding=3, fontsize=8)
    axes.set_title(models[0].metric, fontsize=9)
    return True


def _times(field, title):
    def draw(axes, models):
        known = [(p, getattr(m, field)) for p, m in enumerate(models)]
        known = [(p, latency) for p, latency in known if latency is not None]
        if axes is None:
            return bool(known)
        medians = [latency.median_ms for _, latency in known]
        beyond = [max(0.0, x.p90_ms - x.median_ms) for _, x in known]
        errors = ([0.0] * len(known), beyond)
        bars = axes.barh(
            [p for p, _ in known],
            medians,
            0.6,
            color=_PLAIN,
            xerr=errors,
            error_kw={"lw": 1.0, "capsize": 3, "ecolor": "0.3"},
        )
        axes.bar_label(bars, [_timed(x) for _, x in known], padding=3, fontsize=8)
        axes.set_title(f"{title}, ms: median / p90", fontsize=9)
        return True

    return draw


_PANELS = (
    _sizes,
    _quality,
    _times("lite_latency", ".tflite"),
    _times("latency", "Keras"),
)


def _noise(models):
    """The layers with a signal-to-noise ratio in the order of the model, and those."""
    by_model = [
        (
            place,
            model.name,
            {r.path: r.sqnr for r in model.layers if r.sqnr is not None},
        )
        for place, model in enumerate(models)
    ]
    known = {path for _, _, of in by_model for path in of}
    # The first has the order, for it is the reference or has all layers of it.
    order = dict.fromkeys(row.path for model in models for row in model.layers)
    paths = [path for path in order if path in known]
    return (paths, [each for each in by_model if each[2]]) if paths else None


def _draw_noise(axes, report, paths, by_model):
    finite = [x for _, _, of in by_model for x in of.values() if math.isfinite(x)]
    top = 1.1 * max(finite, default=0.0) + 1.0
    for place, name, of in by_model:
        color = _COLORS[place % len(_COLORS)]
        points = [(x, of[path]) for x, path in enumerate(paths) if path in of]
        x, y = zip(*points, strict=True)
        shown = [min(value, top) for value in y]
        axes.plot(x, shown, "-", lw=1.0, color=color, alpha=0.6)
        filled = [color if value < math.inf else "white" for value in y]
        axes.scatter(x, shown, 22, filled, edgecolors=color, label=name, zorder=3)
    if any(x == math.inf for _, _, of in by_model for x in of.values()):
        axes.text(-0.5, top, "equal", fontsize=8, va="bottom")
    axes.set_ylabel("dB", fontsize=9)
    axes.set_title(f"SQNR of layers against {report.reference}", fontsize=9)
    names = [_short(path) for path in paths]
    small = 8 if len(names) <= 40 else 6
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=small)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


def _layer_bytes(axes, rows):
    places = range(len(rows))
    raw = [row.bytes for row in rows]
    bars = axes.barh(places, raw, 0.75, color=_RAW, label="raw")
    axes.bar_label(bars, [_bytes(x) if x else "" for x in raw], padding=3, fontsize=7)
    axes.margins(x=0.15)
    small = [row.gzip_bytes for row in rows]
    axes.barh(places, small, 0.35, color=_GZIP, label="gzip")
    axes.set_title("weights, bytes", fontsize=9)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.legend(fontsize=7, frameon=False)


def _layer_zeros(axes, rows):
    shares = [100.0 * (row.sparsity or 0.0) for row in rows]
    axes.barh(range(len(rows)), shares, 0.6, color="0.6")
    axes.set_title("zeros in kernels, %", fontsize=9)
    axes.set_xlim(0.0, 100.0)


def _layer_noise(axes, rows):
    known = [(p, row.sqnr) for p, row in enumerate(rows) if row.sqnr is not None]
    top = max((x for _, x in known if math.isfinite(x)), default=1.0)
    values = [min(x, top) if x > 0 else max(x, -top) for _, x in known]
    colors = [_RAW if x == math.inf else _PLAIN for _, x in known]
    bars = axes.barh([p for p, _ in known], values, 0.6, color=colors)
    texts = ["equal" if x == math.inf else f"{x:.1f}" for _, x in known]
    axes.bar_label(bars, texts, padding=3, fontsize=7)
    axes.margins(x=0.18)
    axes.set_title("SQNR, dB", fontsize=9)


def _bytes(number):
    return EngFormatter(places=1, sep=" ")(number)


def _timed(latency):
    return f"{latency.median_ms:.3g} / {latency.p90_ms:.3g}"


def _short(path):
    return path if len(path) <= 34 else f"...{path[-31:]}"
