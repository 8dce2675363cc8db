"""Quality over cost, with those that none surpasses in both joined."""

from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from perfkit._drawing import Drawing

_AXES = {
    "latency_ms": "milliseconds a batch",
    "macs": "multiply-accumulates a sample",
    "parameters": "parameters",
}
# Where a name may stand beside its point, in points, and how it is set there.
_PLACES = (
    ((7, 0), "left", "center"),
    ((-7, 0), "right", "center"),
    ((0, 7), "center", "bottom"),
    ((0, -7), "center", "top"),
    ((6, 8), "left", "bottom"),
    ((6, -8), "left", "top"),
    ((-6, 8), "right", "bottom"),
    ((-6, -8), "right", "top"),
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
    if best:
        x, y = [point[1] for point in best], [point[2] for point in best]
        # A cost in between buys what the cheaper one does.
        axes.plot(x, y, color="tab:blue", drawstyle="steps-post", alpha=0.5)
    axes.set(xlabel=_AXES[cost], ylabel=score.replace("_", " "), xscale="log")
    axes.margins(0.15, 0.1)
    axes.grid(alpha=0.3)
    axes.xaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
    _name(figure, axes, points)
    return figure


def _name(figure, axes, points):
    """Write names where they cover neither another one nor a point."""
    figure.draw_without_rendering()  # places the axes
    figure.set_layout_engine("none")
    taken = [axes.transData.transform(point[1:]) for point in points]
    boxes = []
    frame = axes.get_window_extent()
    for name, *place in points:
        text = axes.annotate(
            name,
            place,
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=8,
            parse_math=False,
        )
        for offset, across, down in _PLACES:
            text.set(position=offset, ha=across, va=down)
            box = text.get_window_extent()
            inside = frame.x0 <= box.x0 and box.x1 <= frame.x1
            covers = any(box.contains(*point) for point in taken)
            if inside and not covers and not box.count_overlaps(boxes):
                break
        boxes.append(box)
