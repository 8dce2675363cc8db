"""What is in an adapter file: arrays, and a text about them.

The file is that of `numpy.savez`. Layers and weights go by their number in the model,
as names that Keras makes up are others in the next model of the same code.
"""

import hashlib
import json
import pathlib
import uuid
import zipfile
from collections.abc import Sequence
from typing import Any, NoReturn

import keras
import numpy as np

from perfkit import _check
from perfkit.graph import batch_norm
from perfkit.transfer.adapters import _choosing, _tuned

VERSION = 1
_TEXT = "text"
_KIND = "perfkit adapter"


def base_weights(model) -> list[Any]:
    """Return the weights of a model without those of low-rank adapters."""
    inside = {
        id(weight)
        for layer in _tuned.numbered(model)
        for adapter in _tuned.adapters_in(layer)
        for weight in adapter.weights
    }
    return [weight for weight in model.weights if id(weight) not in inside]


def contents(model) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the text, as a dictionary, and the arrays of what a model learnt."""
    layers, base, arrays = _tuned.numbered(model), base_weights(model), {}
    paths = _choosing.paths(model)
    adapters = []
    for number, layer in enumerate(layers):
        for adapter in _tuned.adapters_in(layer):
            for weight in adapter.weights:
                arrays[f"adapter {len(adapters)} {weight.name}"] = host(weight)
            method = adapter.method
            adapters.append(
                {
                    "layer": number,
                    "path": paths[id(layer)],
                    "place": adapter.place,
                    "method": type(method).__name__,
                    "rank": method.rank,
                    "alpha": method.alpha,
                }
            )
    learnt = {id(weight) for weight in model.trainable_weights}
    for layer in batch_norm.layers_of(model):
        if layer.trainable:
            learnt |= {id(layer.moving_mean), id(layer.moving_variance)}
    saved = [number for number, weight in enumerate(base) if id(weight) in learnt]
    for number in saved:
        arrays[f"weight {number}"] = host(base[number])
    text = {
        "kind": _KIND,
        "version": VERSION,
        "keras": keras.__version__,
        "layers": len(layers),
        "adapters": adapters,
        "weights": [[number, base[number].path] for number in saved],
        "base": base_hash(base, saved),
    }
    return {**text, "whole": _hash(arrays, text)}, arrays


def base_hash(base, saved: Sequence[int]) -> str:
    """Return a hash of the weights that are not in the file."""
    kept = set(saved)
    rest = {
        str(number): host(weight)
        for number, weight in enumerate(base)
        if number not in kept and keras.backend.is_float_dtype(weight.dtype)
    }
    return _hash(rest)


def host(weight) -> np.ndarray:
    """Return the value of a weight as a type of number that NumPy can write."""
    value = np.asarray(keras.ops.convert_to_numpy(weight))
    return value.astype("float32") if weight.dtype == "bfloat16" else value


def write(path, text, arrays) -> None:
    """Write a file whole, or leave what was there as it was."""
    path = pathlib.Path(path)
    encoded = np.frombuffer(json.dumps(text).encode(), "uint8")
    # Opened as any file, so that others may read it as they may the user's.
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with part.open("xb") as file:
            np.savez(file, **{_TEXT: encoded, **arrays})
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def read(owner, path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the text and the arrays of a file; an error says what is wrong with it."""
    text: Any = None
    arrays: dict[str, np.ndarray] = {}
    try:
        with (
            pathlib.Path(path).open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            arrays = {name: stored[name] for name in stored.files}
        text = json.loads(arrays.pop(_TEXT).tobytes())
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, KeyError, TypeError):
        damaged(owner, path, "it cannot be read")
    except AttributeError:  # one array, not a dictionary of them
        damaged(owner, path, "it cannot be read")
    if not isinstance(text, dict) or text.get("kind") != _KIND:
        damaged(owner, path, "it is of another kind")
    if text.get("version") != VERSION:
        version = text.get("version")
        damaged(owner, path, f"it is of version {version!r}, not {VERSION}")
    if text.pop("whole", None) != _hash(arrays, text):
        damaged(owner, path, "its contents are not those that were written")
    return text, arrays


def damaged(owner, path, why) -> NoReturn:
    """Raise the error of a file that cannot be used."""
    expected = f"a whole file that `save_adapter` wrote, where {why}"
    _check.fail(owner, "path", expected, str(path))


def _hash(arrays, text=None) -> str:
    digest = hashlib.sha256(json.dumps(text, sort_keys=True).encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.shape} {array.dtype};".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
