"""Drawn parameters outside of a call: as NumPy arrays, and back from JSON."""

import multiprocessing
import os
import threading
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit._random import Sampler

_BLOCK = 256


def key(owner, seed) -> np.ndarray:
    """The key of a call from one or two whole numbers."""
    words = list(seed) if isinstance(seed, (list, tuple)) else [seed, 0]
    if len(words) != 2:
        _check.fail(owner, "seed", "a whole number or a pair of them", seed)
    words = [_check.integer(owner, "seed", word, 0, 2**32 - 1) for word in words]
    return np.array(words, "uint32").view("int32")


def numbers(owner, index, batch_size) -> np.ndarray:
    """The numbers of the samples, one for each."""
    array = np.atleast_1d(np.asarray(index))
    whole = array.dtype.kind in "iu" and array.shape == (batch_size,)
    if not whole or array.min() < 0 or array.max() >= 2**31:
        expected = "a list of whole numbers within [0, 2**31), one a sample, "
        expected += f"{batch_size} in all"
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
    if isinstance(params, np.ndarray):
        return params
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


class HostDraws:
    """The draws of calls on the host, each sample's by its number.

    A worker process has a stream of its own, or all would draw the same. Small
    batches take theirs from a block, as NumPy draws for many in about the time of one.

    Args:
        seed: First word of the key.
    """

    def __init__(self, seed):
        self._seed = seed
        self._count = 0
        self._block = None
        self._names = None
        self._lock = threading.Lock()

    def next(self, layer, samples) -> Any:
        """Parameters of the next samples."""
        stream = _stream()
        with self._lock:
            first, self._count = self._count, self._count + samples
            if layer.mixes or samples > _BLOCK // 2:
                return self.of(layer, _following(first, samples), stream)
            start, of, block = self._block or (first, stream, None)
            inside = start <= first <= start + _BLOCK - samples
            if block is None or of != stream or not inside:
                start, block = first, self.of(layer, _following(first, _BLOCK), stream)
                self._block = start, stream, block
        here = slice(first - start, first - start + samples)
        return keras.tree.map_structure(
            lambda array: None if array is None else array[here], block
        )

    def check(self, layer, params) -> None:
        """Raise an error where parameters are not those that the layer draws."""
        if self._names is None:
            self._names = _names(self.of(layer, _following(0, 1)))
        if _names(params) != self._names:
            raise ValueError(
                f"{layer.name}: `params` must be what `sample` of this layer returned, "
                f"of the entries {self._names}. Received: {_names(params)}"
            )

    def of(self, layer, index, stream=0) -> Any:
        """Parameters of the samples of these numbers, int32."""
        key = np.array([self._seed, stream], "uint32").view("int32")
        return to_numpy(layer.draw(Sampler(len(index), key, index), True))


def _stream():
    """1, or in a worker process a number that no other has."""
    return 1 if multiprocessing.parent_process() is None else os.getpid()


def _names(params):
    """What parameters consist of, as text: `0/angle`."""
    if params is None:
        return []
    paths = [path for path, _ in keras.tree.flatten_with_path(params)]
    return ["/".join(map(str, path)) for path in paths]


def _following(first, samples):
    return np.arange(first, first + samples, dtype="int32")
