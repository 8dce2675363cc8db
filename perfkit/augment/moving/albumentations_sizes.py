"""Crops and resizes of Albumentations: recipes of perfkit's layers.

The size that they give is known to what comes after them.
"""

from typing import Any

from perfkit import augment
from perfkit.augment.moving.albumentations_geometry import SAMPLING
from perfkit.augment.moving.source import Source

_RESIZING = {**SAMPLING, 2: "bicubic", 3: "area"}
_AREA = {None: False, "image": True}


def _random_crop(op: Source, state):
    return [(augment.RandomCrop, _cropped(op, state))]


def _center_crop(op: Source, state):
    return [(augment.CenterCrop, _cropped(op, state))]


def _cropped(op: Source, state):
    op.neutral("pad_if_needed", False)
    for name in ("pad_position", "border_mode", "fill", "fill_mask"):
        op.take(name)
    state.size = op.take("height"), op.take("width")
    return {"height": state.size[0], "width": state.size[1]}


def _random_resized_crop(op: Source, state):
    op.neutral("area_for_downscale", None)
    state.size = tuple(op.take("size"))
    settings = {
        "height": state.size[0],
        "width": state.size[1],
        "scale": op.take("scale"),
        "ratio": op.take("ratio"),
        "interpolation": op.one_of("interpolation", SAMPLING),
        "mask_interpolation": op.one_of("mask_interpolation", SAMPLING),
    }
    return [(augment.RandomResizedCrop, settings)]


def _box_safe_crop(op: Source, state):
    state.size = op.take("height"), op.take("width")
    erosion = op.take("erosion_rate")
    settings = {
        "height": state.size[0],
        "width": state.size[1],
        "erosion": erosion,
        "interpolation": op.one_of("interpolation", SAMPLING),
        "mask_interpolation": op.one_of("mask_interpolation", SAMPLING),
        # Without a box there, it is the image but for a part of its size.
        "scale": (max((1.0 - erosion) ** 2, 1e-6), 1.0),
        "ratio": (0.01, 100.0),
    }
    return [(augment.BoxSafeCrop, settings)]


def _resized(op: Source):
    how = op.one_of("interpolation", _RESIZING)
    antialias = op.one_of("area_for_downscale", _AREA) or how == "area"
    how = "bilinear" if how == "area" else how
    masks = op.one_of("mask_interpolation", SAMPLING)
    return {
        "interpolation": how,
        "antialias": antialias,
        "mask_interpolation": masks,
    }


def _resize(op: Source, state):
    state.size = op.take("height"), op.take("width")
    size = {"height": state.size[0], "width": state.size[1]}
    return [(augment.Resizing, {**size, **_resized(op)})]


def _letter_box(op: Source, pad, state):
    """`LongestMaxSize`, and the `PadIfNeeded` that follows it."""
    longest, both = op.take("max_size"), op.take("max_size_hw")
    state.size = (longest, longest) if both is None else tuple(both)
    op.neutral("area_for_downscale", None)
    pad.neutral("border_mode", 0)
    pad.neutral("position", "center")
    pad.neutral("pad_height_divisor", None)
    pad.neutral("pad_width_divisor", None)
    pad.values.pop("padding", None)
    frame = pad.take("min_height"), pad.take("min_width")
    if frame != state.size:
        pad.refuse(f"it has to fill the frame of {state.size}. Received: {frame}")
    settings = {
        "height": frame[0],
        "width": frame[1],
        "interpolation": op.one_of("interpolation", SAMPLING),
        "mask_interpolation": op.one_of("mask_interpolation", SAMPLING),
        "fill_value": pad.number("fill"),
        "mask_fill_value": pad.number("fill_mask"),
    }
    pad.layers([])
    return [(augment.LetterBox, settings)]


def _center_of_smallest(op: Source, crop, state):
    """`SmallestMaxSize`, and the `CenterCrop` that follows it."""
    op.neutral("max_size_hw", None)
    size = op.take("max_size")
    if not isinstance(size, int):
        op.refuse(f"`max_size` has to be one number. Received: max_size={size!r}")
    window = _cropped(crop, state)
    if max(window.values()) > size:
        crop.refuse(f"its window has to fit into {size} pixels. Received: {window}")
    crop.layers([])
    square = {"height": size, "width": size, "crop_to_aspect_ratio": True}
    return [
        (augment.Resizing, {**square, **_resized(op)}),
        (augment.CenterCrop, window),
    ]


OPERATIONS = {
    "CenterCrop": _center_crop,
    "RandomCrop": _random_crop,
    "RandomResizedCrop": _random_resized_crop,
    "RandomSizedBBoxSafeCrop": _box_safe_crop,
    "Resize": _resize,
}
# Two in a row that are one.
PAIRS: dict[tuple[str, ...], Any] = {
    ("LongestMaxSize", "PadIfNeeded"): _letter_box,
    ("SmallestMaxSize", "CenterCrop"): _center_of_smallest,
}
