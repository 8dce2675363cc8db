"""Which layers of a model an argument `where` stands for."""

import fnmatch
import math
from numbers import Real
from typing import Any

import keras

from perfkit import _check
from perfkit.graph.trails import Trail, names


def check(owner: str, where: Any, name: str = "where") -> None:
    """Check that `where` is one of the choices below, or a list of them."""
    for choice in choices(where):
        if isinstance(choice, slice):
            _shares(owner, choice, name)
        elif not isinstance(choice, str) and not callable(choice):
            expected = (
                "a name pattern, a layer, its class, a slice of the depth, a function "
                "or a list of these"
            )
            _check.fail(owner, name, expected, where, TypeError)


def selects(where: Any, trail: Trail, depth: tuple[int, int] | None) -> bool:
    """Whether a checked `where` that is not None selects the last layer of a trail.

    A layer, a class and a name stand for what is inside them, too.

    Args:
        where: A layer, a class, a shell-style pattern for a name or a path, a
            function of the layer, a slice of the depth from 0 to 1, or a list.
        trail: The way to the layer.
        depth: Its number in the model and how many numbers there are, or `None`.
    """
    if isinstance(where, (list, tuple)):
        return any(selects(choice, trail, depth) for choice in where)
    if isinstance(where, str):
        return any(fnmatch.fnmatchcase(name, where) for name in _all_names(trail))
    if isinstance(where, slice):
        return depth is not None and depth[0] in _numbers(where, depth[1])
    if isinstance(where, type):
        return any(isinstance(layer, where) for layer in trail[1:])
    if isinstance(where, keras.Layer):
        return any(layer is where for layer in trail)
    return isinstance(trail[-1], keras.Layer) and bool(where(trail[-1]))


def names_exactly(where: Any, trail: Trail, *, classes=True) -> bool:
    """Whether `where` means the last layer of a trail itself, and no other kind.

    By the layer, its name or path without a wildcard, or, with `classes`, its very
    class.
    """
    layer = trail[-1]
    return any(
        choice is layer
        or (classes and choice is type(layer))
        or (isinstance(choice, str) and choice in (layer.name, "/".join(names(trail))))
        for choice in choices(where)
    )


def needed(where: Any) -> list[Any]:
    """What has to select something: a `where`, and each name and layer in a list.

    A class may well be one of several that a model need not have.
    """
    definite = [one for one in choices(where) if isinstance(one, (str, keras.Layer))]
    return [*definite, where]


def choices(where: Any) -> list[Any]:
    """What `where` lists, or itself; nothing for None."""
    if where is None:
        return []
    return list(where) if isinstance(where, (list, tuple)) else [where]


def _all_names(trail) -> list[str]:
    parts = names(trail)
    return parts + ["/".join(parts[:end]) for end in range(1, len(parts) + 1)]


def _shares(owner, choice, name):
    ends = [end for end in (choice.start, choice.stop) if end is not None]
    within = all(isinstance(end, Real) and -1 <= float(end) <= 1 for end in ends)
    if not within or choice.step is not None:
        expected = "a slice(start, stop) of shares of the depth within [-1, 1], such "
        expected += "as slice(0, 0.5) for the first half of the layers"
        _check.fail(owner, name, expected, choice)


def _numbers(choice, count) -> range:
    """The layers k of `count` with start <= k / count < stop, as of a list."""

    def first(share):
        share = share + 1 if share < 0 else share
        return math.ceil(share * count - 1e-9)  # 0.28 * 25 is more than 7

    start = 0 if choice.start is None else first(choice.start)
    return range(start, count if choice.stop is None else first(choice.stop))
