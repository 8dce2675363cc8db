"""Cells of images, waveforms or spectrograms on a figure of matplotlib."""

import textwrap
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from perfkit._drawing import Drawing
from perfkit.augment._captions import class_name

_CAPTION, _TITLE, _BOX = 7, 8, 6  # font sizes, in points
_LINES = 3
_MASK_ALPHA = 0.5


class Cell(NamedTuple):
    """What is drawn at one place; what is `None` is left out."""

    values: Any  # (height, width, channels), (samples, channels), (frames, bins)
    value_range: tuple[float, float]
    title: str = ""
    caption: str = ""
    masks: Any = None
    boxes: Any = None
    box_labels: Any = None
    keypoints: Any = None


def draw(rows, kind, names, size) -> Figure:
    """Draw rows of cells, `size` inches wide each."""
    cells = [
        cell._replace(
            title=_wrapped(cell.title, size, _TITLE),
            caption=_wrapped(cell.caption, size, _CAPTION),
        )
        for row in rows
        for cell in row
    ]
    rows = [cells[k : k + len(rows[0])] for k in range(0, len(cells), len(rows[0]))]
    heights = [_height(row, kind) * size for row in rows]
    text = sum(map(_text_height, rows)) / 72
    columns = len(rows[0])
    figure = Drawing((columns * size, sum(heights) + text))
    ratios = {"height_ratios": heights}
    grid = figure.subplots(len(rows), columns, squeeze=False, gridspec_kw=ratios)
    for axes, cell in zip(grid.flat, cells, strict=True):
        axes.set(xticks=[], yticks=[])
        _KINDS[kind](axes, cell, names)
        # Not mathematics, whatever signs there are in names.
        axes.set_title(cell.title, fontsize=_TITLE, parse_math=False)
        axes.set_xlabel(cell.caption, fontsize=_CAPTION, parse_math=False)
    return figure


def _wrapped(text, size, font):
    letters = max(4, int(size * 72 / (0.6 * font)))
    lines = textwrap.wrap(text, letters, max_lines=_LINES, placeholder=" …")
    return "\n".join(lines)


def _text_height(row):
    """Height of what is written above and below a row, in points."""

    def height(texts, font):
        lines = max(text.count("\n") + 1 if text else 0 for text in texts)
        return 1.3 * font * lines + 6 if lines else 0

    above = height([cell.title for cell in row], _TITLE)
    return above + height([cell.caption for cell in row], _CAPTION) + 8


def _height(row, kind):
    """Height of a row of cells, in widths."""
    if kind != "images":
        return 0.6
    return max(min(2.0, len(cell.values) / cell.values.shape[1]) for cell in row)


def _draw_image(axes, cell, names):
    image = _shades(cell.values, cell.value_range)
    height, width, channels = image.shape
    image = image[..., :3] if channels >= 3 else image[..., 0]
    # Coordinates are continuous: pixel `i` covers `[i, i + 1)`.
    place = {"extent": (0, width, height, 0)}
    axes.imshow(image, cmap="gray", vmin=0.0, vmax=1.0, **place)
    if cell.masks is not None:
        axes.imshow(_overlay(cell.masks), interpolation="nearest", **place)
    if cell.keypoints is not None:
        x, y = cell.keypoints[:, 0], cell.keypoints[:, 1]
        colors = _colors(np.arange(len(x)))
        axes.scatter(x, y, s=16, c=colors, edgecolors="white", linewidths=0.7, zorder=3)
    for number, (x1, y1, x2, y2) in enumerate([] if cell.boxes is None else cell.boxes):
        label = 0 if cell.box_labels is None else int(cell.box_labels[number])
        if label == -1 or x2 <= x1 or y2 <= y1:
            continue
        color = _colors(label)
        axes.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=color, lw=1.5)
        )
        if cell.box_labels is not None:
            text = axes.text(
                *(x1, y1, class_name(label, names)),
                fontsize=_BOX,
                color="white",
                va="top",
                clip_on=True,
                parse_math=False,
                bbox={"facecolor": color, "edgecolor": "none", "pad": 0.8},
            )
            text.set_in_layout(False)
    axes.set(xlim=(0, width), ylim=(height, 0))


def _draw_waveform(axes, cell, names):
    axes.plot(cell.values, linewidth=0.5)
    axes.set(xlim=(0, len(cell.values)), ylim=cell.value_range)


def _draw_spectrogram(axes, cell, names):
    low, high = cell.value_range
    axes.imshow(
        cell.values[..., 0].T,
        cmap="magma",
        vmin=low,
        vmax=high,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
    )


_KINDS = {
    "images": _draw_image,
    "waveforms": _draw_waveform,
    "spectrograms": _draw_spectrogram,
}


def _shades(values, value_range):
    low, high = value_range
    return np.clip((values.astype("float32") - low) / (high - low), 0.0, 1.0)


def _colors(numbers):
    return mpl.colormaps["tab10"](np.asarray(numbers) % 10)


def _overlay(masks):
    """Colours of classes, with nothing where there is background.

    Masks of several channels hold shares of classes, the first the background.
    """
    if masks.shape[-1] == 1:
        numbers = np.round(masks[..., 0].astype("float32")).astype("int32")
        overlay = _colors(numbers)
        overlay[..., 3] = np.where(numbers == 0, 0.0, _MASK_ALPHA)
        return overlay
    shares = np.clip(masks[..., 1:].astype("float32"), 0.0, 1.0)
    total = shares.sum(axis=-1, keepdims=True)
    colors = _colors(np.arange(1, masks.shape[-1]))[:, :3]
    mixed = shares @ colors / np.maximum(total, 1e-6)
    return np.concatenate([mixed, np.minimum(total, 1.0) * _MASK_ALPHA], axis=-1)
