"""Batches as a candidate takes them: of its size, and with its preprocessing."""

from typing import Any

import keras


def inputs_of(model, x, prepare) -> Any:
    """Return a batch as the model takes it, resized and prepared."""
    size = _own_size(model, x)
    if size is not None:
        x = keras.ops.cast(x, "float32")
        x = keras.ops.image.resize(x, size, interpolation="bilinear")
    return x if prepare is None else prepare(x)


def resizing(model, x) -> list[str]:
    """Return what is to be said of the size of the images of a batch."""
    size = _own_size(model, x)
    return [] if size is None else ["images resized to {} x {}".format(*size)]


def _own_size(model, x):
    """Height and width that a model takes, if they are others than those of images."""
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) != 1 or keras.tree.is_nested(x) or x.ndim != 4:
        return None
    first = keras.config.image_data_format() == "channels_first"
    place = slice(2, 4) if first else slice(1, 3)
    own = tuple(inputs[0].shape[place])
    if len(inputs[0].shape) != 4 or None in own or own == x.shape[place]:
        return None
    return own
