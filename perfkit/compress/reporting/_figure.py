"""Reports as pictures."""

import functools
import itertools
import math
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from perfkit._drawing import Drawing

_RAW, _GZIP, _PLAIN = "#a9c4de", "#2f6aa8", "#4c72b0"
_COLORS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")
_COLORS += ("#da8bc3", "#8c8c8c", "#ccb974", "#64b5cd")
_MARKERS = "os^Dv<>"  # 7, so that together with 10 colours no two of 70 are alike
_SPARSE = 0.05  # share of zeros that does not come by chance
_MANY = 70  # layers; of more only those with kernels are drawn


def of_models(report, size) -> Figure:
    """Draw models side by side, and below what their layers lose."""
    models, panels = report.models, _panels(report.models)
    names, ratios = _noise(models)
    width = max(3.2 * len(panels), 2.2 + 0.22 * len(names))
    heights = [1.5 + 0.32 * len(models)]
    if names:
        heights.append(2.4 + 0.06 * max(len(_short(name)) for name in names))
    figure = Drawing(size or (min(max(width, 6.5), 16.0), sum(heights)))
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights)
    if names:
        above, below = parts
        _draw_noise(below.subplots(), report.reference, names, ratios)
    else:
        above = parts
    every = above.subplots(1, len(panels), squeeze=False)[0]
    for axes, draw in zip(every, panels, strict=True):
        draw(axes, models)
        axes.set_yticks([])
        axes.set_ylim(len(models) - 0.45, -0.55)
        axes.margins(x=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(4))
    names = [model.name for model in models]
    every[0].set_yticks(range(len(models)), names, parse_math=False)
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


def _panels(models):
    """What there is to draw side by side."""
    found: list[Any] = [_sizes]
    if any(model.quality is not None for model in models):
        found.append(_quality)
    for field, title in (("lite_latency", ".tflite"), ("latency", "Keras")):
        if any(getattr(model, field) is not None for model in models):
            found.append(functools.partial(_times, field, title))
    return found


def _sizes(axes, models):
    known = all(model.lite_bytes is not None for model in models)
    kind, title = ("lite", ".tflite") if known else ("weight", "weights")
    for shift, field, color in ((-0.2, "bytes", _RAW), (0.2, "gzip_bytes", _GZIP)):
        values = [getattr(model, f"{kind}_{field}") for model in models]
        places = [place + shift for place in range(len(models))]
        bars = axes.barh(places, values, 0.38, color=color)
        axes.bar_label(bars, [_bytes(x) for x in values], padding=3, fontsize=8)
    axes.set_title(f"{title}, bytes: raw and after gzip", fontsize=9)
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def _quality(axes, models):
    known = [(p, m.quality) for p, m in enumerate(models) if m.quality is not None]
    bars = axes.barh(*zip(*known, strict=True), 0.6, color=_PLAIN)
    axes.bar_label(bars, [f"{x:.4g}" for _, x in known], padding=3, fontsize=8)
    axes.set_title(models[0].metric, fontsize=9)


def _times(field, title, axes, models):
    every = [(place, getattr(model, field)) for place, model in enumerate(models)]
    known = [(place, latency) for place, latency in every if latency is not None]
    beyond = [latency.p90_ms - latency.median_ms for _, latency in known]
    bars = axes.barh(
        [place for place, _ in known],
        [latency.median_ms for _, latency in known],
        0.6,
        color=_PLAIN,
        xerr=([0.0] * len(known), beyond),
        error_kw={"lw": 1.0, "capsize": 3, "ecolor": "0.3"},
    )
    texts = [f"{x.median_ms:.3g} / {x.p90_ms:.3g}" for _, x in known]
    axes.bar_label(bars, texts, padding=3, fontsize=8)
    axes.set_title(f"{title}, ms: median / p90", fontsize=9)


def _noise(models):
    """Names of the layers that are compared, in order, and the points of each model."""
    rows = [
        {row.against or row.path: row for row in model.layers if row.sqnr is not None}
        for model in models
    ]
    order = _merged([list(of) for of in rows])
    names = []
    for path in order:
        called = {of[path].path for of in rows if path in of}
        names.append(called.pop() if len(called) == 1 else path)
    points = [
        [(x, of[path].sqnr) for x, path in enumerate(order) if path in of]
        for of in rows
    ]
    return names, list(zip((model.name for model in models), points, strict=True))


def _merged(orders):
    """Return all items in an order that is that of each list, if there is one."""
    found = []
    while orders := [order for order in orders if order]:
        heads = [order[0] for order in orders]
        later = {item for order in orders for item in order[1:]}
        found.append(next((x for x in heads if x not in later), heads[0]))
        orders = [[x for x in order if x != found[-1]] for order in orders]
    return found


def _draw_noise(axes, reference, names, ratios):
    every = [y for _, points in ratios for _, y in points]
    lines = max(len(points) for _, points in ratios) > 1
    top = 1.1 * max((x for x in every if math.isfinite(x)), default=0.0) + 1.0
    looks = zip(itertools.cycle(_COLORS), itertools.cycle(_MARKERS), strict=False)
    for (name, points), (color, marker) in zip(ratios, looks, strict=False):
        if not points:
            continue
        x, y = zip(*points, strict=True)
        if lines and len(points) == 1:  # of other shapes within: no line to look at
            said = f"{name}: {y[0]:.1f} at {_short(names[x[0]])}"
            axes.plot([], [], " ", label=said)
            continue
        shown = [min(value, top) for value in y]
        axes.plot(x, shown, "-", lw=1.0, color=color, alpha=0.6)
        filled = [color if value < math.inf else "white" for value in y]
        look = {"edgecolors": color, "marker": marker, "zorder": 3}
        axes.scatter(x, shown, 22, filled, label=name, **look)
    if math.inf in every:
        axes.text(-0.5, top, "equal", fontsize=8, va="bottom")
    axes.set_ylabel("dB", fontsize=9)
    title = f"SQNR of layers against {reference}"
    axes.set_title(title, fontsize=9, parse_math=False)
    names = [_short(name) for name in names]
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
    return EngFormatter(places=1, sep=" ")(number) if number >= 1000 else str(number)


def _short(path):
    return path if len(path) <= 34 else f"...{path[-31:]}"
