"""Drawn parameters outside of a call: as NumPy arrays, and back from JSON."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from perfkit import _check


def key(owner, seed) -> np.ndarray:
    """The key of a call from one or two whole numbers."""
    words = list(seed) if isinstance(seed, (list, tuple)) else [seed, 0]
    if len(words) != 2:
        _check.fail(owner, "seed", "a whole number or a pair of them", seed)
    words = [_check.integer(owner, "seed", word, 0, 2**32 - 1) for word in words]
    return np.array(words, "uint32").view("int32")


def numbers(owner, index, batch_size) -> np.ndarray:
    """The numbers of the samples, one for each."""
    array = np.asarray(index)
    whole = array.dtype.kind in "iu" and array.shape == (batch_size,)
    if not whole or array.min() < 0 or array.max() >= 2**31:
        expected = f"{batch_size} whole numbers within [0, 2**31)"
        _check.fail(owner, "index", expected, index)
    return array.astype("int32")


def to_numpy(params) -> Any:
    """Parameters as NumPy arrays; `None` stays what it is."""
    if params is None:
        return None
    if isinstance(params, Mapping):
        return {name: to_numpy(value) for name, value in params.items()}
    if isinstance(params, (list, tuple)):
        return [to_numpy(value) for value in params]
    return np.asarray(keras.ops.convert_to_numpy(params))


def from_user(name, params) -> Any:
    """Parameters as arrays, from arrays or from the lists that JSON makes of them."""
    if params is None:
        return None
    if isinstance(params, Mapping):
        return {key: from_user(name, value) for key, value in params.items()}
    if isinstance(params, (list, tuple)):
        numbers = [isinstance(entry, (bool, int, float)) for entry in params]
        if not (numbers and all(numbers)):
            return [from_user(name, entry) for entry in params]
    array = np.asarray(params)
    if array.ndim == 0 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"{name}: `params` must be what `sample` returned: arrays of one entry for "
            f"each sample, in lists and dicts. Received: {params!r}"
        )
    narrow = {"f": "float32", "i": "int32", "u": "int32", "b": "bool"}
    return array.astype(narrow[array.dtype.kind])


def check_batch(name, params, samples) -> None:
    """Raise an error where parameters are not one for each sample."""
    for array in keras.tree.flatten(params):
        if array is not None and array.shape[0] != samples:
            raise ValueError(
                f"{name}: `params` were drawn for {array.shape[0]} samples. Received a "
                f"batch of {samples}."
            )
