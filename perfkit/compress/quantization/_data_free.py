"""Ranges from what batch normalization knows, without data."""

import re

import keras
import numpy as np

from perfkit import _check
from perfkit.compress.quantization import _correcting
from perfkit.compress.quantization._observing import layers_of
from perfkit.compress.quantization.fake_quantization import FakeQuantization
from perfkit.graph.calls import read
from perfkit.graph.folding import pairs
from perfkit.graph.moments import Moments, fitted, moments


def checked(owner, data, calibration, value_range):
    """Check what goes with data and what goes without; return `value_range`."""
    if data is not None:
        if value_range is not None:
            _check.fail(
                owner, "value_range", "left out where data are given", value_range
            )
        return None
    if calibration != "minmax":
        expected = "given for this calibration; without data there is none to choose"
        _check.fail(owner, "data", expected, data)
    if value_range is None:
        expected = "some hundred inputs, or left out and `value_range` given, the "
        expected += "least and greatest value of the inputs, such as (0, 255)"
        _check.fail(owner, "data", expected, data)
    low, high = _check.span(owner, "value_range", value_range, -1e30, 1e30)
    if low == high:
        _check.fail(owner, "value_range", "two different numbers", value_range)
    return low, high


def calibrate(owner, steps, plain, small, value_range, corrected) -> None:
    """Set the ranges of a model with fake quantization, and correct its biases.

    Args:
        owner: Name of the caller, for errors.
        steps: The model of single operations, with batch normalization.
        plain: The same with batch normalization folded.
        small: The latter with fake quantization.
        value_range: Least and greatest value of the inputs.
        corrected: Whether biases are corrected.
    """
    graph = read(owner, steps)
    kind = keras.layers.BatchNormalization
    if not any(isinstance(call.operation, kind) for call in graph.calls):
        expected = "given, as the model has no BatchNormalization that knows its ranges"
        _check.fail(owner, "data", expected, None)
    low, high = value_range
    mean, variance = (low + high) / 2.0, (high - low) ** 2 / 12.0  # uniform
    inputs = Moments(np.array([mean]), np.array([variance]), low, high)
    found = moments(owner, steps, inputs)
    for layer, norm in pairs(graph):
        found[layer.name] = found[norm.name]
    for layer in layers_of(small, FakeQuantization):
        if layer.fixed is None:
            name = re.sub(r"_range(_\d+)?$", "", layer.name)
            known = inputs if re.fullmatch(r"input_\d+", name) else found[name]
            layer.set_range(*known.range)
    if corrected:
        made = {id(x): call for call in read(owner, plain).calls for x in call.outputs}
        given = {}
        for call in made.values():
            before = made.get(id(call.inputs[0]))
            known = found[before.operation.name] if before else inputs
            given[call.operation.name] = fitted(known, call.inputs[0].shape[-1])
        _correcting.correct_from(small, given)
