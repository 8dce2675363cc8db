"""Weights of several models of one architecture, as NumPy arrays."""

import pathlib
import re
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph import adapted
from perfkit.transfer.adapters import _tuned

_MODEL, _WEIGHTS = ".keras", ".weights.h5"


def listed(owner, models) -> list[Any]:
    """Check that `models` is a list of models or of files of them."""
    expected = f"a list of models, or of paths that end in {_MODEL} or {_WEIGHTS}"
    if not isinstance(models, (list, tuple)) or not models:
        _check.fail(owner, "models", expected, models)
    for item in models:
        path = isinstance(item, (str, pathlib.Path))
        if not isinstance(item, keras.Model) and not (
            path and str(item).endswith((_MODEL, _WEIGHTS))
        ):
            _check.fail(owner, "models", expected, item)
    return list(models)


def architecture(owner, items, model, compile=False) -> Any:
    """The model to read weights into: `model`, or the first, opened in its place.

    Args:
        owner: Name of the caller, for errors.
        items: Models and paths. Models among them are looked at here.
        model: A model, or `None`.
        compile: Whether one that is opened is to be compiled as it was.
    """
    if model is not None:
        _check.instance(owner, "model", model, keras.Model)
    elif isinstance(items[0], keras.Model):
        model = items[0]
    elif str(items[0]).endswith(_WEIGHTS):
        expected = f"a model of their architecture, as the first is a {_WEIGHTS} file"
        _check.fail(owner, "model", expected, model)
    else:
        model = items[0] = keras.models.load_model(items[0], compile=compile)
    check_plain(owner, "models" if model is items[0] else "model", model)
    for number, item in enumerate(items):
        if isinstance(item, keras.Model):
            check_plain(owner, "models", item)
            _check_alike(owner, number, item, model)
    return model


def check_plain(owner, name, model) -> None:
    """Check that a model has no adapters: means of factors are not those of kernels."""
    if _tuned.has_adapters(model):
        expected = "without adapters; `merge` them first"
        _check.fail(owner, name, expected, model.name)


def opened(owner, number, item, copy) -> list[Any]:
    """Weights of a model or of a file, which may be read into `copy`.

    Args:
        owner: Name of the caller, for errors.
        number: Which of its models it is, for errors.
        item: A model or a path.
        copy: A model of the architecture, whose weights may be written over, and which
            is not compiled, so that an optimizer's slots in a file do not count.
    """
    if isinstance(item, keras.Model):
        return read(item)
    if str(item).endswith(_WEIGHTS):
        try:
            copy.load_weights(item)
        except ValueError as error:
            expected = f"files of weights of {copy.name}; {error}"
            _check.fail(owner, "models", expected, str(item))
        return read(copy)
    model = keras.models.load_model(item, compile=False)
    check_plain(owner, "models", model)
    _check_alike(owner, number, model, copy)
    return read(model)


def _check_alike(owner, number, model, other):
    difference = unlike(model, other)
    if difference:
        expected = f"of one architecture; in models[{number}] {difference}"
        _check.fail(owner, "models", expected, model)


def unlike(model, other) -> str:
    """What tells the weights of a model from those of another one, or nothing."""
    ours, theirs = model.weights, other.weights
    if len(ours) != len(theirs):
        return f"there are {len(ours)} weights, and {len(theirs)} in the first"
    for place, (one, two) in enumerate(zip(ours, theirs, strict=True)):
        if tuple(one.shape) != tuple(two.shape) or _name(one) != _name(two):
            return (
                f"weight {place} is {one.path} of shape {tuple(one.shape)}, "
                f"and {two.path} of shape {tuple(two.shape)} in the first"
            )
    return ""


def _name(variable):
    """Name of a variable without the number that Keras gives those without a name."""
    return re.sub(r"_\d+$", "", variable.name)


def read(model) -> list[Any]:
    """Copies of the weights of a model."""
    return [np.array(keras.ops.convert_to_numpy(w)) for w in model.weights]


def write(model, values) -> None:
    """Give the weights of a model their values."""
    for variable, value in zip(model.weights, values, strict=True):
        variable.assign(value)
    adapted.settle(model)


def added(total, values, share) -> Any:
    """`total` and `share` times the weights, float64; whole numbers are left out.

    Args:
        total: What it returned before, or `None` at first.
        values: The weights of a model.
        share: What they are multiplied by.
    """
    if share == 0.0:  # so that what is left is the others, bit for bit
        return total
    terms = [share * x.astype("float64") if is_float(x) else None for x in values]
    if total is None:
        return terms
    pairs = zip(total, terms, strict=True)
    return [x if y is None else x + y for x, y in pairs]


def divided(total, shares, like) -> list[Any]:
    """A total divided by the sum of its shares, in the dtypes of `like`.

    Whole numbers are those of `like`.
    """
    return [
        value if x is None else (x / shares).astype(value.dtype)
        for x, value in zip(total, like, strict=True)
    ]


def is_float(array) -> bool:
    """Whether an array is of floats, also of those that NumPy does not know."""
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(array.dtype))
