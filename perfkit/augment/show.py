"""Seeing what a layer does."""

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from perfkit import _backend, _check
from perfkit.augment._captions import caption, label_text
from perfkit.augment._images import Images
from perfkit.augment.audio.audio import Spectrograms, Waveforms
from perfkit.augment.base import Augment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_RANKS = {Images: 3, Spectrograms: 2, Waveforms: 1}  # of one sample
_USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


def show(
    layer,
    inputs,
    *,
    copies=4,
    max_images=4,
    seed=0,
    params=True,
    names=None,
    value_range=None,
    size=2.0,
) -> "Figure":
    """Draw inputs and augmented copies of them, a row for each.

    Images, waveforms and spectrograms; boxes, masks and keypoints over the images,
    labels above and what was drawn below. Of images of three channels or more the
    first three are seen, else the first one; of a video, the first frame. Masks of
    several channels are one for each class, the first the background.

    The copies are one batch, so that a choice shows each of its layers its share of
    times; where samples meet each other, a batch each. The layer's own stream of
    draws stays where it is. Nothing pops up: a notebook shows what a cell returns, and
    a script says `show(...).savefig("seen.png")`. It needs matplotlib, which
    `pip install 'perfkit[examples]'` installs.

    Args:
        layer: Augmentation layer of perfkit, for images or audio.
        inputs: What the layer takes: one sample, a batch, or a dict.
        copies: Number of augmented copies. At least 1. A layer that draws nothing has
            one.
        max_images: Most samples that are looked at, also by a layer in which samples
            meet. At least 1, or 2 in such a layer.
        seed: Whole number below 2**32. Another one shows other draws.
        params: Whether what was drawn is written below: with the names that the layer
            gives it, of a choice what was chosen, cut off after three lines.
        names: Names of the classes of labels and boxes, a list or a dict.
        value_range: `(low, high)` of the copies' values, black and white. `None` takes
            the first of [0, 1], [-1, 1] and [0, 255] that holds all values of the
            copies, else their least and greatest value; bytes are within [0, 255]. So
            it does for the originals.
        size: Width of a cell in inches. Within [0.2, 50].

    Returns:
        `matplotlib.figure.Figure`, of which `pyplot` knows nothing.

    Raises:
        ImportError: If matplotlib is missing.
        TypeError: If an argument is of the wrong kind.
        ValueError: If an argument is out of bounds, or the layer cannot augment the
            inputs.

    Example:
        >>> from perfkit import augment
        >>> figure = show(augment.RandomFlip(), np.zeros((2, 8, 8, 3)), copies=3)
        >>> len(figure.axes)
        8

    Reference: none.
    """
    layer = _check.instance("show", "layer", layer, Augment)
    rank = _RANKS.get(type(layer.modality))
    if rank is None:
        _check.fail("show", "layer", "a layer for images or audio", layer)
    copies = _check.integer("show", "copies", copies) if layer.random else 1
    together = _meet(layer)
    least = 2 if together else 1
    max_images = _check.integer("show", "max_images", max_images, least)
    seed = _check.integer("show", "seed", seed, 0, 2**32 - 1)
    params = _check.boolean("show", "params", params)
    names = _check.instance("show", "names", names or [], (list, tuple, dict))
    if value_range is not None:
        value_range = _check.value_range("show", value_range)
    size = _check.number("show", "size", size, 0.2, 50.0)
    figure = _matplotlib()

    batch = _batch(layer, inputs, rank, max_images)
    before = _lay_out(layer, batch)
    many = len(before["values"])
    if many < least:
        expected = f"a batch of at least {least}"
        _check.fail("show", "inputs", expected, before["values"])
    rounds, each = (copies, 1) if together else (1, copies)
    after = [_augmented(layer, batch, (seed, k), many, each) for k in range(rounds)]

    ranges = _ranges(layer, before, [part for part, _ in after], value_range)
    resized = (
        rank == 3 and before["values"].shape[1:3] != after[0][0]["values"].shape[1:3]
    )

    def cell(parts, row, value_range, words, labelled):
        own: dict[str, Any] = {}
        for key, x in parts.items():
            own[key] = None if x is None else x[row]
        label = own.pop("labels")
        height, width = own["values"].shape[:2]
        told = [f"{height} x {width}"] if resized else []
        title = "" if label is None or not labelled else label_text(label, names)
        return figure.Cell(
            **own,
            value_range=value_range,
            title=title,
            caption=", ".join([*told, words] if words else told) if params else "",
        )

    rows = []
    for row in range(many):
        cells = [cell(before, row, ranges[0], "original", True)]
        for parts, drawn in after:
            for place in range(row * each, row * each + each):
                words = caption(layer, drawn, place)
                cells.append(cell(parts, place, ranges[1], words, layer.mixes))
        rows.append(cells)
    return figure.draw(rows, layer.modality.main, names, size)


def _matplotlib() -> Any:
    _check.installed("augment.show", "matplotlib", "examples")
    from perfkit.augment import _figure

    return _figure


def _meet(layer):
    """Whether samples take anything from each other."""
    if layer.mixes or getattr(layer, "borrows", False):
        return True
    return any(map(_meet, getattr(layer, "layers", [])))


def _batch(layer, inputs, rank, most) -> dict[str, Any]:
    """The first samples of what the layer handles, in NumPy arrays, as a batch."""
    layer._prepared(inputs, None)  # which checks them
    main = layer.modality.main
    inputs = inputs if isinstance(inputs, dict) else {main: inputs}
    keys = (*layer.modality.handled, "labels")
    batch = {key: inputs[key] for key in keys if inputs.get(key) is not None}
    single = np.ndim(batch[main]) == rank

    def first(x):
        return np.asarray(x)[None] if single else np.asarray(x)[:most]

    return {key: keras.tree.map_structure(first, x) for key, x in batch.items()}


def _augmented(layer, batch, seed, many, each):
    """Copies of a batch side by side, and what was drawn for them.

    On the host nothing is compiled, whatever the sizes, and draws are the same as on a
    device.
    """
    batch = keras.tree.map_structure(lambda x: np.repeat(x, each, axis=0), batch)
    with _backend.scope("numpy"):
        drawn = layer.sample(many * each, seed=seed)
    return _lay_out(layer, layer.on_host(batch, drawn)), drawn


def _lay_out(layer, batch) -> dict[str, Any]:
    """What is drawn of a batch, channels last and boxes as corners in pixels."""
    labels = batch.get("labels")
    with _backend.scope("numpy"):
        handled = {key: batch[key] for key in layer.modality.handled if key in batch}
        canvas, _ = layer.modality.to_canvas(handled)
    if not isinstance(layer.modality, Images):
        return {"values": canvas.parts[canvas.main], "labels": labels}
    parts = {
        "values": canvas.images,
        "masks": canvas.masks,
        "boxes": canvas.boxes,
        "box_labels": canvas.box_labels,
        "keypoints": canvas.keypoints,
    }
    first = slice(None, None, canvas.frames or 1)
    parts = {key: None if x is None else x[first] for key, x in parts.items()}
    return {**parts, "labels": labels}


def _ranges(layer, before, after, value_range):
    """The values that are black and white, of the originals and of the copies."""
    copies = np.concatenate([parts["values"] for parts in after])
    if isinstance(layer.modality, Images):
        return _range(before["values"]), value_range or _range(copies)
    both = value_range or _ends(
        np.concatenate([before["values"].ravel(), copies.ravel()])
    )
    return both, both


def _range(values):
    if values.dtype == np.uint8:
        return 0.0, 255.0
    least, greatest = _ends(values)
    for low, high in _USUAL:
        slack = 1e-3 * (high - low)
        if low - slack <= least and greatest <= high + slack:
            return low, high
    return least, greatest


def _ends(values):
    values = values[np.isfinite(values)].astype("float32")
    least, greatest = (values.min(), values.max()) if values.size else (0.0, 1.0)
    return float(least), float(greatest if greatest > least else least + 1.0)
