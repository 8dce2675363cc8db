"""What is to happen to the places of pixels, and when two such wishes are one."""

from typing import NamedTuple

import numpy as np

from perfkit._backend import dtype_of
from perfkit.ops import paths


class Sampling(NamedTuple):
    """How to resample, and what lies outside.

    `None` says that any will do: pixels go to pixels, or nothing outside is seen.
    """

    interpolation: str | None = None
    fill_mode: str | None = None
    fill_value: float = 0.0
    mask_interpolation: str | None = None
    mask_fill_value: float = 0.0


class Motion(NamedTuple):
    """Where pixels go, and how to resample."""

    path: paths.Path
    sampling: Sampling


def check_masks(name, sampling, masks) -> None:
    """Raise an error that names the layer if masks, or `None`, cannot be resampled."""
    dtype = "float32" if masks is None else dtype_of(masks)
    if dtype.startswith(("float", "bfloat")):
        return
    if sampling.mask_interpolation == "bilinear":
        raise ValueError(
            f"{name}: integer masks are classes, which cannot be blended. Leave "
            "`mask_interpolation` at 'nearest', or pass masks of floats. Received: "
            f"dtype={dtype}"
        )
    if dtype == "bool":
        low, high = 0, 1
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    fill = sampling.mask_fill_value
    fits = low <= fill <= high and fill == int(fill)
    if sampling.fill_mode == "constant" and not fits:
        raise ValueError(
            f"{name}: masks of dtype {dtype} cannot hold `mask_fill_value={fill:g}`. "
            f"Pass a whole number within [{low}, {high}], or masks of another dtype."
        )


def compatible(first, second):
    """Whether two motions can share one resample."""
    ours, theirs = first.sampling, second.sampling
    for name in ("interpolation", "mask_interpolation", "fill_mode"):
        said = {getattr(ours, name), getattr(theirs, name)} - {None}
        if len(said) > 1:
            return False
    if {ours.fill_mode, theirs.fill_mode} != {"constant"}:
        return True
    return (ours.fill_value, ours.mask_fill_value) == (
        theirs.fill_value,
        theirs.mask_fill_value,
    )


def merge(first, second):
    """One motion in place of two that are compatible."""
    ours, theirs = first.sampling, second.sampling
    filled = theirs if theirs.fill_mode is not None else ours
    sampling = Sampling(
        theirs.interpolation or ours.interpolation,
        filled.fill_mode,
        filled.fill_value,
        theirs.mask_interpolation or ours.mask_interpolation,
        filled.mask_fill_value,
    )
    return Motion(paths.join(first.path, second.path), sampling)
