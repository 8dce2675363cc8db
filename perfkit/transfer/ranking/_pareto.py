"""Quality over cost, with those that none surpasses in both joined."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from perfkit._drawing import Drawing

_AXES = {
    "latency_ms": "milliseconds a batch",
    "macs": "multiply-accumulates a sample",
    "parameters": "parameters",
}
# Where a name may stand beside its point, in points, and how it is set there. What lies
# above and to the left of one that none surpasses is free.
_PLACES = (
    ((-5, 4), "right", "bottom"),
    ((8, 0), "left", "center"),
    ((6, -5), "left", "top"),
    ((-8, 0), "right", "center"),
    ((6, 6), "left", "bottom"),
    ((-6, -6), "right", "top"),
    ((0, 8), "center", "bottom"),
    ((0, -8), "center", "top"),
)


def front(points) -> list[tuple]:
    """Those of `(name, cost, score)` that none surpasses, from cheap to costly."""
    kept: list[tuple] = []
    for point in sorted(points, key=lambda point: (point[1], -point[2])):
        if not kept or point[2] > kept[-1][2]:
            kept.append(point)
    return kept


def draw(points, cost, score, size) -> Figure:
    """Draw points `(name, cost, score)`; costs on a logarithmic axis."""
    figure = Drawing(size)
    axes = figure.subplots()
    best = front(points)
    rest = [point for point in points if point not in best]
    for some, color in ((rest, "0.6"), (best, "tab:blue")):
        x, y = [point[1] for point in some], [point[2] for point in some]
        axes.scatter(x, y, color=color, zorder=3)
    x, y = [point[1] for point in best], [point[2] for point in best]
    if best:
        # A cost in between buys what the cheaper one does.
        axes.plot(x, y, color="tab:blue", drawstyle="steps-post", alpha=0.5, lw=1.2)
    axes.set(xlabel=_AXES[cost], ylabel=score.replace("_", " "), xscale="log")
    axes.margins(0.12, 0.1)
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(EngFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    _name(figure, axes, points, _along(x, y))
    return figure


def _along(x, y):
    """Points on the line, close to each other."""
    share = np.linspace(0.0, 1.0, 40)
    steps = range(len(x) - 1)
    flat = [(x[k] * (x[k + 1] / x[k]) ** s, y[k]) for k in steps for s in share]
    steep = [(x[k + 1], y[k] + (y[k + 1] - y[k]) * s) for k in steps for s in share]
    return flat + steep


def _name(figure, axes, points, line):
    """Write names where they cover neither another one nor a point nor the line."""
    figure.draw_without_rendering()  # places the axes
    figure.set_layout_engine("none")
    taken = [point[1:] for point in points] + line
    taken = [axes.transData.transform(place) for place in taken]
    boxes = []
    for name, *place in points:
        text = axes.annotate(
            name,
            place,
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8,
            parse_math=False,
        )
        boxes.append(_placed(text, taken, boxes, axes.get_window_extent()))


def _placed(text, points, boxes, frame):
    """Put a name where it covers nothing, if there is such a place; return its box."""
    for offset, across, down in _PLACES:
        text.set(position=offset, ha=across, va=down)
        box = text.get_window_extent()
        inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
        covers = any(box.contains(*point) for point in points)
        if inside and not covers and not box.count_overlaps(boxes):
            return box
    return text.get_window_extent()
