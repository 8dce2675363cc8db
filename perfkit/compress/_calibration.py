"""Calibration data: the inputs whose ranges set the scales of an int8 file."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from perfkit import _check


def collect(owner, data, shape, dtype, samples):
    """Return at most `samples` inputs, as one array of shape `(count, *shape)`."""
    count, batches = 0, []
    for batch in _batches(owner, data, samples):
        batch = _checked(owner, batch, shape, dtype)[: samples - count]
        batches.append(batch)
        count += len(batch)
        if count >= samples:
            break
    if count == 0:
        _check.fail(owner, "data", "at least one training input", data)
    if len({batch.shape[1:] for batch in batches}) > 1:
        expected = "inputs of one size, as the ranges of all are seen together"
        _check.fail(owner, "data", expected, [batch.shape for batch in batches])
    return np.concatenate(batches)


def _batches(owner, data: Any, samples):
    if isinstance(data, Mapping) or not hasattr(data, "__iter__"):
        expected = "an array, or an iterable of batches x or (x, y)"
        _check.fail(owner, "data", expected, data, TypeError)
    if isinstance(data, tuple):  # one batch, (x, y)
        data = data[0]
    if hasattr(data, "shape"):
        data = np.asarray(data)
        if data.ndim and len(data) > samples:  # evenly: classes may lie in order
            data = data[np.linspace(0, len(data) - 1, samples).astype(int)]
        data = [data]
    for batch in data:
        yield np.asarray(batch[0] if isinstance(batch, tuple) else batch)


def _checked(owner, batch, shape, dtype):
    if fits(batch.shape, shape):  # one sample
        batch = batch[None]
    if not fits(batch.shape[1:], shape):
        expected = f"inputs of shape {('batch', *shape)}, as the model takes them"
        _check.fail(owner, "data", expected.replace("'", ""), batch)
    try:
        batch = batch.astype(dtype)
    except (TypeError, ValueError):
        _check.fail(owner, "data", "numbers", batch, TypeError)
    if not np.isfinite(batch).all():
        _check.fail(owner, "data", "free of NaN and infinity", batch)
    return batch


def fits(sizes, shape) -> bool:
    """Whether sizes are those of a shape, in which some may be unknown."""
    pairs = zip(sizes, shape, strict=False)
    return len(sizes) == len(shape) and all(n in (size, None) for size, n in pairs)


def structures(owner, data, inputs, samples):
    """Return batches of several inputs, with at most `samples` samples in all.

    Args:
        owner: Name of the caller, for errors.
        data: A structure of arrays like that of the inputs, or an iterable of batches
            of such, or of tuples that begin with one.
        inputs: What the model takes, a structure of symbolic tensors.
        samples: How many samples to use at most.
    """
    expected = "arrays in the structure of the model's inputs, or batches of these"
    if isinstance(data, tuple) and data and _is_like(inputs, data[0]):  # (x, y)
        data = data[0]
    batches: Any
    alone = _is_like(inputs, data)
    if alone:
        batches = [data]
    else:
        if isinstance(data, Mapping) or not hasattr(data, "__iter__"):
            _check.fail(owner, "data", expected, type(data).__name__, TypeError)
        batches = data
    found, count = [], 0
    for batch in batches:
        batch = batch[0] if isinstance(batch, tuple) and batches is data else batch
        if not _is_like(inputs, batch):
            _check.fail(owner, "data", expected, type(batch).__name__)
        pairs = zip(keras.tree.flatten(inputs), keras.tree.flatten(batch), strict=True)
        arrays = [
            _checked(owner, np.asarray(array), tuple(x.shape[1:]), x.dtype)
            for x, array in pairs
        ]
        if len(set(map(len, arrays))) > 1:
            many = "as many samples of each input"
            _check.fail(owner, "data", many, [array.shape for array in arrays])
        if alone and len(arrays[0]) > samples:  # evenly, as above
            chosen = np.linspace(0, len(arrays[0]) - 1, samples).astype(int)
            arrays = [array[chosen] for array in arrays]
        left = [array[: samples - count] for array in arrays]
        found.append(keras.tree.pack_sequence_as(inputs, left))
        count += len(left[0])
        if count >= samples:
            break
    if not count:
        _check.fail(owner, "data", "at least one training input", data)
    return found


def _is_like(inputs, data) -> bool:
    """Whether data have the structure of symbolic inputs."""
    try:
        keras.tree.assert_same_structure(inputs, data)
    except ValueError:
        return False
    return all(hasattr(leaf, "shape") for leaf in keras.tree.flatten(data))
