"""Hashes of a backbone and of data."""

import hashlib
import json
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.trails import trails

# How a model is trained, and on what it was built, is nothing to its features.
_NO_MATTER = ("compile_config", "build_config", "trainable")


def of_backbone(owner: str, backbone: keras.Layer) -> str:
    """Hash what a backbone computes: its architecture, weights and vocabularies.

    Names of layers do not count, nor what can be trained.

    Raises:
        ValueError: If the backbone does not say how it was made.
    """
    hasher = _hasher(json.dumps(_architecture(owner, backbone), sort_keys=True))
    for trail in trails(backbone):
        vocabulary = getattr(trail[-1], "get_vocabulary", None)  # not among the weights
        if vocabulary is not None:
            hasher.update(repr(list(vocabulary())).encode())
    for variable in backbone.weights:
        value: Any = keras.ops.convert_to_numpy(variable)
        hasher.update(repr((str(value.dtype), value.shape)).encode())
        hasher.update(_bytes_of(value))
    return hasher.hexdigest()


def joined(*parts: str) -> str:
    """Hash some texts together."""
    return _hasher(json.dumps(parts)).hexdigest()


class Fingerprint:
    """A hash of data that is read batch by batch, whatever the size of the batches."""

    def __init__(self):
        self._leaves: dict[str, _Leaf] = {}

    def add(self, batch: Any) -> None:
        """Count in one more batch: a structure of NumPy arrays."""
        for path, leaf in keras.tree.flatten_with_path(batch):
            self._leaves.setdefault(repr(path), _Leaf()).add(leaf)

    def digest(self) -> str:
        """Return the hash of all batches so far."""
        leaves = sorted(self._leaves.items())
        return joined(*(text for path, leaf in leaves for text in (path, *leaf.said())))


class _Leaf:
    """One array of many batches: its bytes, and what says where they end."""

    def __init__(self):
        self._hasher = _hasher("")
        self._runs: list[list[Any]] = []  # kind of a sample, number of such samples

    def add(self, array):
        kind = [str(array.dtype), *array.shape[1:]]
        if not self._runs or self._runs[-1][0] != kind:
            self._runs.append([kind, 0])
        self._runs[-1][1] += len(array)
        self._hasher.update(_bytes_of(array))

    def said(self):
        return repr(self._runs), self._hasher.hexdigest()


def _hasher(text):
    return hashlib.blake2b(text.encode(), digest_size=16)


def _bytes_of(array) -> Any:
    if array.dtype.hasobject:  # strings, which it holds by their addresses
        texts = [x.decode() if isinstance(x, bytes) else str(x) for x in array.flat]
        return json.dumps(texts).encode()
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _architecture(owner, backbone) -> Any:
    try:
        config = keras.saving.serialize_keras_object(backbone)
        names: dict[str, str] = {}
        _collect(config, names)
        return _nameless(config, names)
    except (NotImplementedError, TypeError) as error:
        expected = "a model whose `get_config` says how it was made, since a cache is "
        expected += f"known by that and by the weights ({error})"
        _check.fail(owner, "backbone", expected, backbone)


def _collect(config, names):
    """Number the names of layers in the order of their first appearance."""
    if isinstance(config, dict):
        inner = config.get("config")
        if isinstance(inner, dict) and isinstance(inner.get("name"), str):
            names.setdefault(inner["name"], f"layer {len(names)}")
        config = [part for key, part in config.items() if key != "dtype"]
    if isinstance(config, (list, tuple)):
        for part in config:
            _collect(part, names)


def _nameless(config, names) -> Any:
    """The same with numbers for names: those are others each time a model is made."""
    if isinstance(config, dict):
        kept = {k: part for k, part in config.items() if k not in _NO_MATTER}
        return {
            key: names.get(part, part)
            if key == "name" and isinstance(part, str)
            else part
            if key == "dtype"  # the name of a policy means something
            else _nameless(part, names)
            for key, part in kept.items()
        }
    if isinstance(config, (list, tuple)):
        if len(config) == 3 and isinstance(config[0], str):  # which output of a layer
            return [names.get(config[0], config[0]), *config[1:]]
        return [_nameless(part, names) for part in config]
    return config
