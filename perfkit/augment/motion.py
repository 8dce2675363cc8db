"""What is to happen to the places of pixels, and when two such wishes are one."""

from typing import NamedTuple

from perfkit.ops import paths


class Motion(NamedTuple):
    """Where pixels go, and how to resample.

    `None` for `interpolation` or `fill_mode` says that any will do.
    """

    path: paths.Path
    interpolation: str | None
    fill_mode: str | None
    fill_value: float


def compatible(first, second):
    """Whether two motions can share one resample."""
    if None not in (first.interpolation, second.interpolation) and (
        first.interpolation != second.interpolation
    ):
        return False
    if None in (first.fill_mode, second.fill_mode):
        return True
    return first.fill_mode == second.fill_mode and (
        first.fill_mode != "constant" or first.fill_value == second.fill_value
    )


def merge(first, second):
    """One motion in place of two that are compatible."""
    filled = second if second.fill_mode is not None else first
    return Motion(
        paths.join(first.path, second.path),
        second.interpolation or first.interpolation,
        filled.fill_mode,
        filled.fill_value,
    )
