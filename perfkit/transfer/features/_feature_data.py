"""Training data of any kind as batches of NumPy arrays, as often as they are needed."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph import batch_norm
from perfkit.transfer._shuffled import samples

Batch = dict[str, Any]  # "x" and, where there are, "y" and "sample_weight"
NAMES = ("x", "y", "sample_weight")


class Batches:
    """Read data as batches, each a dictionary of structures of NumPy arrays.

    Args:
        owner: Name of the caller, for errors.
        data: Arrays as `fit` takes them, in a tuple, or a data set of batches.
        batch_size: Samples of a batch where `data` is arrays.
        name: Name of its argument, for errors.
    """

    def __init__(self, owner: str, data: Any, batch_size: int, name: str = "data"):
        self._owner, self._name = owner, name
        self._data, self._batch_size = data, batch_size
        self._arrays: Batch | None = None
        if isinstance(data, (tuple, list, dict)) or hasattr(data, "shape"):
            self._arrays = self._named(data if isinstance(data, tuple) else (data,))
            self.many: int | None = -(-samples(self._arrays) // batch_size)
        else:
            self._check_data_set()
            self.many = _length(data)

    def __iter__(self) -> Iterator[Batch]:
        arrays: Any = self._arrays
        if arrays is None:
            for element in batch_norm.batches(self._data):
                listed = isinstance(element, (tuple, list))  # a list as `fit` takes it
                yield self._named(tuple(element) if listed else (element,))
            return
        for start in range(0, samples(arrays), self._batch_size):
            rows = slice(start, start + self._batch_size)
            part: Any = keras.tree.map_structure(lambda x, rows=rows: x[rows], arrays)
            yield part

    def _check_data_set(self):
        data = self._data
        expected = "arrays in a tuple `(x, y)` or `(x, y, sample_weight)`, x alone, or "
        expected += "a data set of batches of these that can be read more than once"
        if isinstance(data, keras.utils.PyDataset):
            endless = data.num_batches is None
        else:
            if not hasattr(data, "__iter__") or isinstance(data, (str, bytes)):
                _check.fail(self._owner, self._name, expected, data, TypeError)
            if iter(data) is data:
                expected += ", so no generator"
                _check.fail(self._owner, self._name, expected, data)
            cardinality = getattr(data, "cardinality", None)
            endless = cardinality is not None and int(cardinality()) == -1
        if endless:
            _check.fail(self._owner, self._name, "a data set that ends", data)

    def _named(self, parts: tuple) -> Batch:
        if not 1 <= len(parts) <= 3:
            expected = "`x`, `(x, y)` or `(x, y, sample_weight)`"
            self._fail(f"{expected}, or batches of these", parts)
        given = dict(zip(NAMES, parts, strict=False))
        batch = {
            name: keras.tree.map_structure(np.asarray, part)
            for name, part in given.items()
            if part is not None
        }
        leaves = keras.tree.flatten(batch)
        if "x" not in batch or any(leaf.ndim < 1 for leaf in leaves):
            self._fail("arrays whose first axis is that of the samples", parts)
        if len({len(leaf) for leaf in leaves}) != 1 or not len(leaves[0]):
            counts = [len(leaf) for leaf in leaves]
            self._fail(f"of as many samples everywhere, where it has {counts}", parts)
        return batch

    def _fail(self, expected, parts):
        kinds = keras.tree.map_structure(
            lambda leaf: f"{type(leaf).__name__}{tuple(np.shape(leaf))}", parts
        )
        _check.fail(self._owner, self._name, expected, kinds)


def _length(data) -> int | None:
    try:
        return len(data)
    except TypeError:  # of a `tf.data.Dataset` it may be unknown
        return None
