"""How many bits the weights of each layer get."""

import fnmatch
from collections.abc import Callable, Mapping
from typing import Any

from perfkit import _check

CHOICES = (4, 8)


def chooser(owner, bits: Any, paths: Mapping[str, str]) -> Callable[[str], int]:
    """Return a function of the path of a layer with weights: its bits.

    Args:
        owner: Name of the caller, for errors.
        bits: 4 or 8, or a mapping from patterns for names and paths to 4 or 8; of
            those that fit, the last counts, and without one it is 8.
        paths: Paths of all layers with weights, by the names of the layers that were
            made of them.
    """
    choices = bits if isinstance(bits, Mapping) else {"*": bits}
    every = set(paths.values())
    for pattern, count in choices.items():
        if count not in CHOICES or isinstance(count, bool):
            expected = "4 or 8, or a mapping from patterns for layers to these"
            _check.fail(owner, "bits", expected, bits)
        fits = any(_fits(pattern, path) for path in every)
        if not fits and isinstance(bits, Mapping):
            expected = "a mapping whose patterns fit layers with weights, which are "
            expected += ", ".join(sorted(every)) or "none in this model"
            _check.fail(owner, "bits", expected, pattern)

    def bits_of(path):
        found = [count for pattern, count in choices.items() if _fits(pattern, path)]
        return int(found[-1]) if found else 8

    return bits_of


def _fits(pattern, path) -> bool:
    names = (path, path.rpartition("/")[2])
    return any(fnmatch.fnmatchcase(name, pattern) for name in names)
