"""Data sets with labels, as arrays in memory."""

from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.batch_norm import batches
from perfkit.ops import transferability


def arrays(owner, data) -> tuple[Any, np.ndarray]:
    """Return inputs and labels as arrays.

    Args:
        owner: Name of the caller, for errors.
        data: A pair `(x, y)` of arrays, or batches of such pairs.
    """
    pairs = [data] if isinstance(data, tuple) else list(batches(data))
    if not pairs or not all(isinstance(p, tuple) and len(p) >= 2 for p in pairs):
        _check.fail(owner, "data", "a pair (x, y), or batches of pairs (x, y)", data)
    pairs = [keras.tree.map_structure(np.asarray, pair[:2]) for pair in pairs]
    joined: Any = keras.tree.map_structure(lambda *p: np.concatenate(p), *pairs)
    x, y = joined
    lengths = {len(each) for each in keras.tree.flatten((x, y))}
    if len(lengths) > 1:
        _check.fail(owner, "data", "of as many inputs as labels", sorted(lengths))
    return x, y


def targets(owner, labels) -> tuple[np.ndarray, bool]:
    """Return labels as classes from 0 or as standardized floats, and which they are.

    Whole numbers, strings, booleans and one-hot rows are classes.
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    numbers = labels.dtype.kind in "fiub"
    if labels.ndim == 2 and numbers and _one_hot(labels):
        labels = labels.argmax(axis=1)
    if labels.dtype.kind != "f":
        if labels.ndim != 1:
            expected = "classes: whole numbers or strings, or one-hot rows"
            _check.fail(owner, "data", f"of labels that are {expected}", labels)
        kinds, numbered = np.unique(labels, return_inverse=True)
        if len(kinds) < 2:
            _check.fail(owner, "data", "of two classes or more", kinds.tolist())
        return numbered, True
    labels = labels.reshape(len(labels), -1).astype("float64")
    spread = labels.std(axis=0)
    if not np.all(np.isfinite(labels)) or not np.all(spread > 0.0):
        _check.fail(owner, "data", "of finite targets that differ", labels)
    return (labels - labels.mean(axis=0)) / spread, False


def subset(labels, samples, seed) -> np.ndarray:
    """Return numbers of so many samples, of each class its share, in their order."""
    if samples >= len(labels):
        return np.arange(len(labels))
    order = transferability.by_label(labels, seed)
    places = (np.arange(samples) + 0.5) * len(labels) / samples
    return np.sort(order[places.astype("int64")])


def _one_hot(rows):
    return bool(np.all(np.isin(rows, (0, 1))) and np.all(rows.sum(axis=1) == 1))
