"""Data of any kind as batches, and batches of one size."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.batch_norm import batches

_CHUNK = 256  # samples of an array at a time


def read(data: Any, owner, size=_CHUNK) -> Iterator[tuple[Any, Any]]:
    """Yield batches of inputs, and of labels or `None`, as NumPy arrays.

    Args:
        data: Arrays, or batches of any kind.
        owner: Name of the caller, for errors.
        size: Samples in a batch, where these are arrays.
    """
    if isinstance(data, (tuple, dict)) or hasattr(data, "shape"):
        parts: Any = _chunks(*_pair(data, owner), size)
    elif not isinstance(data, (str, bytes)) and (
        hasattr(data, "__iter__") or isinstance(data, keras.utils.PyDataset)
    ):
        parts = batches(data)
    else:
        expected = "an array x, (x, y), or an iterable of batches of these"
        _check.fail(owner, "data", expected, data, TypeError)
    cardinality: Any = getattr(data, "cardinality", lambda: 0)  # of a `tf.data.Dataset`
    if int(cardinality()) == -1:
        _check.fail(owner, "data", "a data set that ends", data)
    seen = 0
    for part in parts:
        x, y = _pair(part, owner)
        seen += samples_of(x)
        yield x, y
    if not seen:
        _check.fail(owner, "data", "of one sample or more", data)


def batches_in(data) -> int | None:
    """Return how many batches `read` yields, if that can be told before."""
    if isinstance(data, (tuple, dict)) or hasattr(data, "shape"):
        return -(-samples_of(data) // _CHUNK)
    if isinstance(data, keras.utils.PyDataset):
        return data.num_batches
    try:
        return len(data)
    except TypeError:  # a generator, or a `tf.data.Dataset` that cannot tell
        return None


def samples_of(x) -> int:
    """Return how many samples a batch has."""
    return len(keras.tree.flatten(x)[0])


def rows(x, places) -> Any:
    """Return some samples of a batch."""
    return keras.tree.map_structure(lambda each: each[places], x)


def said_shapes(x) -> str:
    """Return the shapes of inputs, in words."""
    shapes = [("batch", *each.shape[1:]) for each in keras.tree.flatten(x)]
    return ", ".join(map(str, shapes)).replace("'", "")


def equal_batches(x, size) -> Iterator[tuple[Any, int]]:
    """Yield batches of one size, and how many samples of each are new.

    The last one is filled up, for another size would be another program.
    """
    count = samples_of(x)
    for start in range(0, count, size):
        many = min(size, count - start)
        yield rows(x, np.resize(np.arange(start, start + many), size)), many


def _chunks(x, y, size):
    for start in range(0, samples_of(x), size):
        part = slice(start, start + size)
        yield rows(x, part) if y is None else (rows(x, part), rows(y, part))


def _pair(part, owner) -> tuple[Any, Any]:
    given = part if isinstance(part, tuple) else (part,)
    if len(given) not in (1, 2):
        expected = "x or (x, y), or batches of these, without weights of samples"
        _check.fail(owner, "data", expected, f"a tuple of {len(given)}")
    arrays: Any = keras.tree.map_structure(np.asarray, given)
    leaves = keras.tree.flatten(arrays)
    if any(leaf.ndim == 0 for leaf in leaves) or len(set(map(len, leaves))) != 1:
        expected = "arrays with as many samples of x as of y along the first axis; of "
        expected += "a data set of single samples call .batch()"
        _check.fail(owner, "data", expected, [leaf.shape for leaf in leaves])
    x, y = arrays if len(arrays) == 2 else (*arrays, None)
    for leaf in keras.tree.flatten(x):
        if leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            _check.fail(owner, "data", "free of NaN and infinity", leaf)
    return x, y
