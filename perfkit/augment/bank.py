"""The operations that the published policies choose from, one for each image.

An image has the number of its operation and how much of it, so a choice costs
parameters, not branches: what moves pixels is one matrix for all images, what maps
colours linearly another, and what looks at an image as a whole runs on those images
alone that were dealt to it.
"""

import functools
from typing import NamedTuple

from perfkit._backend import ops
from perfkit.augment.chosen import Chosen
from perfkit.augment.filter import Filter
from perfkit.augment.motion import Sampling
from perfkit.ops import affine, color, filters, histogram, points
from perfkit.ops.host import filters as host_filters
from perfkit.ops.host import tones

OPERATIONS = (
    "identity",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
    "rotate",
    "brightness",
    "contrast",
    "color",
    "invert",
    "posterize",
    "solarize",
    "sharpness",
    "auto_contrast",
    "equalize",
)
NUMBER = {name: number for number, name in enumerate(OPERATIONS)}


class Reach(NamedTuple):
    """What the levels 0 and 1 of an operation mean; the sign may be drawn."""

    low: float
    high: float
    signed: bool = False


# Shears: shift per row or column. Translations: share of the width or height.
# Rotation: turns. Enhancements: distance of the factor from 1. Posterize: bits.
# Solarize: share of the value range.
PAPER = {
    "shear_x": Reach(0.0, 0.3, True),
    "shear_y": Reach(0.0, 0.3, True),
    "translate_x": Reach(0.0, 150 / 331, True),
    "translate_y": Reach(0.0, 150 / 331, True),
    "rotate": Reach(0.0, 30 / 360, True),
    "brightness": Reach(0.0, 0.9, True),
    "contrast": Reach(0.0, 0.9, True),
    "color": Reach(0.0, 0.9, True),
    "sharpness": Reach(0.0, 0.9, True),
    "posterize": Reach(8.0, 4.0),
    "solarize": Reach(1.0, 0.0),
}


class Settings(NamedTuple):
    """What all operations of a policy share."""

    value_range: tuple[float, float]
    sampling: Sampling
    pixels: bool = False  # whether translations are in pixels


def amount(operation, level, sign, reaches):
    """How much of its operation each image gets.

    Args:
        operation: int32 `(batch,)`, numbers of `OPERATIONS`.
        level: Floats `(batch,)` in [0, 1].
        sign: -1.0 or 1.0, `(batch,)`.
        reaches: Dict of `Reach` by name; operations without one have no amount.
    """
    rows = [reaches.get(name, Reach(0.0, 0.0)) for name in OPERATIONS]
    table = [(row.low, row.high - row.low, float(row.signed)) for row in rows]
    picked = ops.take(ops.convert_to_tensor(table, "float32"), operation, axis=0)
    low, span, signed = picked[:, 0], picked[:, 1], picked[:, 2]
    return (low + span * level) * (1.0 + signed * (sign - 1.0))


def perform(canvas, operation, value, settings, limits) -> None:
    """Change each image by its operation.

    Args:
        canvas: The images.
        operation: int32 `(batch,)`, numbers of `OPERATIONS`.
        value: float32 `(batch,)`, see `amount`.
        settings: `Settings`.
        limits: Dict of shares of the batch by name, for what was dealt; operations
            that are not in it do not occur.
    """
    # An image has one operation, so their order is free. What moves pixels joins what
    # moved them before; else it waits for what moves them next.
    steps = [_move, _recolor]
    for step in steps if canvas.pending else reversed(steps):
        step(canvas, operation, value, settings, limits)


def _only(operation, value, name, neutral=0.0):
    return ops.where(operation == NUMBER[name], value, neutral)


def _move(canvas, operation, value, settings, limits):
    moves = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
    if not any(name in limits for name in moves):
        return
    shear_x, shear_y, right, down, turns = [
        _only(operation, value, name) for name in moves
    ]
    height, width = canvas.extent
    if not settings.pixels:
        right, down = right * width, down * height
    center = (width / 2.0, height / 2.0)
    # At most one of them is not zero, so they add.
    matrix = affine.rotation(turns, center) + (
        affine.matrix([[0.0, shear_x, right], [shear_y, 0.0, down], [0.0, 0.0, 0.0]])
    )
    canvas.move(matrix, canvas.size, settings.sampling)


def _recolor(canvas, operation, value, settings, limits):
    within = settings.value_range
    linear = ("brightness", "contrast", "color", "invert")
    if any(name in limits for name in linear):
        some = operation >= NUMBER[linear[0]]
        chosen = Chosen(some & (operation <= NUMBER[linear[-1]]))
        canvas.paint(_colors(canvas, operation, value, *within), within, chosen)
    if {"posterize", "solarize"} & set(limits):
        params = {"operation": operation, "value": value}
        function = functools.partial(_points, value_range=within)
        canvas.change(Filter(function, False, True, within), params)
    for name, (function, of_bytes, joined) in _FILTERS.items():
        if name in limits:
            chosen = Chosen(operation == NUMBER[name], (limits[name],))
            function = functools.partial(function, value_range=within)
            filter = Filter(function, joined, False, within, of_bytes)
            canvas.change(filter, {"value": value}, chosen)


def _colors(canvas, operation, value, low, high):
    """Brightness and contrast, colour and inversion as one map; a sample has one."""
    bright = 1.0 + _only(operation, value, "brightness")
    contrast = 1.0 + _only(operation, value, "contrast")
    inverted = operation == NUMBER["invert"]
    scale = ops.where(inverted, -1.0, bright * contrast)
    offset = (bright - 1.0) * -low + ops.where(inverted, low + high, 0.0)
    mean = canvas.mean()
    if canvas.channels >= 3:
        luma = sum(mean[:, k] * color.LUMA[k] for k in range(3))
    else:
        luma = mean[:, 0]
    offset = offset + (1.0 - contrast) * luma
    saturation = color.saturation(1.0 + _only(operation, value, "color"))
    if canvas.channels < 3:
        return color.gain(scale, offset)
    return color.ColorMatrix(
        saturation.mix * scale[:, None, None], saturation.offset + offset[:, None]
    )


def _points(images, params, value_range):
    low, high = value_range
    operation, value = params["operation"], params["value"]
    bits = ops.cast(ops.round(_only(operation, value, "posterize", 8.0)), "int32")
    fewer = points.posterize(images, bits, value_range)
    images = ops.where(operation == NUMBER["posterize"], fewer, images)
    threshold = low + (high - low) * _only(operation, value, "solarize", 2.0)
    mirrored = points.solarize(images, threshold, 0.0, value_range)
    return ops.where(operation == NUMBER["solarize"], mirrored, images)


def _sharpen(images, params, value_range):
    return filters.sharpen(images, 1.0 + params["value"], value_range)


def _stretch(images, params, value_range):
    return histogram.autocontrast(images, value_range)


def _equalize(images, params, value_range):
    return histogram.equalize(images, value_range)


def _sharpen_bytes(image, params):
    return host_filters.sharpen(image, 1.0 + params["value"])


def _stretch_bytes(image, params):
    return tones.autocontrast(image)


def _equalize_bytes(image, params):
    return tones.equalize(image)


# The function, the same of bytes on the host, and whether a video is one image to it.
_FILTERS = {
    "sharpness": (_sharpen, _sharpen_bytes, False),
    "auto_contrast": (_stretch, _stretch_bytes, True),
    "equalize": (_equalize, _equalize_bytes, True),
}
