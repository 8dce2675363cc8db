"""Biases that make up for what rounding the weights moves on average."""

from typing import Any

import keras
import numpy as np

from perfkit.compress.quantization._observing import layers_of, unrounded
from perfkit.compress.reparameterized import Reparameterized
from perfkit.graph.arrays import exact
from perfkit.graph.labels import channel_axis
from perfkit.graph.moments import Moments, weighted_mean
from perfkit.graph.substituting import call_with
from perfkit.graph.watching import around_calls


def correct(model, data, *, bar) -> None:
    """Subtract from biases the mean change of what layers return, seen on data.

    Args:
        model: A model with fake quantization, whose layers with weights have biases.
        data: Batches of inputs, a list.
        bar: Function without arguments, called after each batch.

    Reference: Nagel et al., Data-Free Quantization, 2019, arXiv 1906.04721, section
        4.2.1. The inputs of each layer are those of the model that does not round.
    """
    layers = [layer for layer in layers_of(model, Reparameterized) if _bias(layer)]
    changes = [_change(layer) for layer in layers]
    moved: list[list[Any]] = [[] for _ in layers]

    def see(place, call, inputs, *args, **named):
        layer = layers[place]
        values = [(layer.variable, changes[place])]
        values += [(v, keras.ops.zeros(v.shape)) for v in _bias(layer)]
        other = call_with(layer, layer.layer, values, lambda: layer.layer(inputs))
        other = exact(other)
        axis = channel_axis(layer.layer, other.ndim)
        others = tuple(k for k in range(other.ndim) if k != axis)
        moved[place].append((len(other), other.mean(axis=others)))
        return call(inputs, *args, **named)

    for batch in data:
        with around_calls(layers, see):
            unrounded(model, batch)
        bar()
    for layer, parts in zip(layers, moved, strict=True):
        counts, means = zip(*parts, strict=True)
        _subtract(layer, np.average(means, axis=0, weights=counts))


def correct_from(model, moments: dict[str, Moments]) -> None:
    """Correct biases as `correct` does, from the means of channels instead of data.

    Args:
        model: A model with fake quantization, whose layers with weights have biases.
        moments: Moments of what a layer with weights takes, by the layer's name.
    """
    for layer in layers_of(model, Reparameterized):
        if _bias(layer) and layer.name in moments:
            change = exact(_change(layer))
            mean = moments[layer.name].mean
            _subtract(layer, weighted_mean(layer.layer, change, mean))


def _change(layer) -> Any:
    """What rounding adds to a kernel."""
    return layer.kernel - layer.kernel_before(layer.transforms[-1])


def _bias(layer) -> list[Any]:
    return [weight for weight in layer.layer.weights if weight.name == "bias"]


def _subtract(layer, change):
    (bias,) = _bias(layer)
    if tuple(bias.shape) == np.shape(change):
        bias.assign(exact(bias) - change)
