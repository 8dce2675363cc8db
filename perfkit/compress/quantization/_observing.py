"""Values in front of the rounding, seen on data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from perfkit.compress.quantization.fake_quantization import FakeQuantization
from perfkit.compress.quantization.quantized_kernel import QuantizedKernel
from perfkit.graph.arrays import array
from perfkit.graph.trails import trails
from perfkit.graph.watching import around_calls
from perfkit.ops import calibration

_VALUES = 100_000  # of each batch, for a histogram
_EMA = 0.9

Range = tuple[float, float]


def layers_of(model, kind) -> list[Any]:
    """Return the layers of a class in a model, each once."""
    found = (trail[-1] for trail in trails(model))
    return list({id(x): x for x in found if isinstance(x, kind)}.values())


def unrounded(
    model, inputs, see: Callable[[int, np.ndarray], None] | None = None
) -> Any:
    """Call a model with fake quantization as if nothing in it were rounded.

    Args:
        model: The model.
        inputs: What it is called on.
        see: Function of the place of a `FakeQuantization` among those of the model,
            and of the values that come to it, or None.
    """
    ranges = layers_of(model, FakeQuantization)
    layers = [*ranges, *layers_of(model, QuantizedKernel)]

    def past(place, call, values, *args, **named):  # noqa: ARG001
        if see is not None and place < len(ranges):
            see(place, array(values, "float32"))
        return values

    with around_calls(layers, past):
        return model(inputs, training=False)


def ranges(model, data, kind, *, percentile, bar) -> list[Range]:
    """Return the range of each `FakeQuantization` of a model.

    Args:
        model: The model.
        data: Batches of inputs, a list.
        kind: "minmax", "ema", "percentile", "mse" or "kl".
        percentile: Percent of the values, for "percentile".
        bar: Function without arguments, called after each batch.
    """
    layers = layers_of(model, FakeQuantization)
    extremes: list[list[Range]] = [[] for _ in layers]

    def see(place, values):
        extremes[place].append((float(values.min()), float(values.max())))

    for batch in data:
        unrounded(model, batch, see)
        bar()
    if kind == "ema":
        return [_moving(found) for found in extremes]
    widest = [(min(x[0] for x in seen), max(x[1] for x in seen)) for seen in extremes]
    if kind == "minmax":
        return widest
    histograms = [calibration.Histogram(*ends) for ends in widest]

    def count(place, values):
        values = np.ravel(values)
        histograms[place].add(values[:: max(1, len(values) // _VALUES)])

    for batch in data:
        unrounded(model, batch, count)
        bar()
    pairs = zip(layers, histograms, strict=True)
    if kind == "percentile":
        return [calibration.percentile(found, percentile) for _, found in pairs]
    rule = calibration.least_error if kind == "mse" else calibration.least_divergence
    return [rule(found, layer.bits) for layer, found in pairs]


def _moving(extremes) -> Range:
    low, high = extremes[0]
    for least, most in extremes[1:]:
        low += (1.0 - _EMA) * (least - low)
        high += (1.0 - _EMA) * (most - high)
    return low, high
