"""The moving statistics of batch normalization."""

import contextlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.trails import trails
from perfkit.graph.watching import around_calls


def layers_of(model) -> list[Any]:
    """Batch normalizations in a model, each of them once."""
    kind = keras.layers.BatchNormalization
    found = [trail[-1] for trail in trails(model) if isinstance(trail[-1], kind)]
    return list({id(layer): layer for layer in found}.values())


def statistics_of(model) -> list[Any]:
    """Moving means and variances of a model, in pairs."""
    return [
        variable
        for layer in layers_of(model)
        for variable in (layer.moving_mean, layer.moving_variance)
    ]


def after_calls(layers, function: Callable[[int, Any], None]):
    """Call a function of a layer's place and its inputs after each call in training.

    A context, see `around_calls`. A layer that is frozen or told not to train is left
    out, as its statistics stay.
    """

    def call_first(place, call, inputs, *args, training=None, **kwargs):
        outputs = call(inputs, *args, training=training, **kwargs)
        if training and layers[place].trainable:
            function(place, inputs)
        return outputs

    return around_calls(layers, call_first)


@contextlib.contextmanager
def _trainable(layers):
    """Make layers trainable, and put back afterwards what they were."""
    before = [(layer, layer.trainable) for layer in layers]
    flags = [(weight, weight.trainable) for x in layers for weight in x.weights]
    try:
        for layer in layers:
            layer.trainable = True
        yield
    finally:
        for layer, trainable in before:
            layer.trainable = trainable
        for weight, trainable in flags:
            weight.trainable = trainable


def parts(layer, samples) -> Any:
    """How often the statistics of a layer move for a batch of so many samples."""
    size = getattr(layer, "virtual_batch_size", None)
    return 1 if size is None else (samples + size - 1) // size


def pooled(count, ours, more, theirs) -> list[Any]:
    """Mean and variance of `count` samples and of `more`, from those of each.

    Chan et al., Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances, 1979: unlike moments about 0, it does not lose small variances.
    """
    (mean, variance), (other_mean, other_variance) = ours, theirs
    share, apart = more / (count + more), other_mean - mean
    within = variance + share * (other_variance - variance)
    return [mean + share * apart, within + share * (1.0 - share) * apart**2]


def of_calls(momentum, many, starts, ends) -> list[Any]:
    """Return the values that moving statistics moved towards in so many moves."""
    stays = momentum**many
    return [
        (end - stays * start) / (1.0 - stays)
        for start, end in zip(starts, ends, strict=True)
    ]


def recalibrate(model, data, *, verbose=False) -> None:
    """Set moving statistics to those of the data.

    Batch normalization, frozen or not, works as in training, everything else as at
    inference. A moving variance becomes the mean of the variances within batches plus
    the variance of their means.

    Args:
        model: A built `keras.Model`.
        data: Batches of inputs, or of tuples that begin with inputs: a list, a
            `tf.data.Dataset`, a `PyDataset`, anything that can be iterated over.
        verbose: Whether to show a progress bar.

    Raises:
        ValueError: If there are no batches.

    A layer that is called more than once gets the statistics of all its calls; one with
    a momentum of 1, whose statistics never move, keeps them.
    """
    layers = layers_of(model)
    if not layers:
        return
    before = [np.copy(variable) for variable in statistics_of(model)]
    bar = keras.utils.Progbar(None, verbose=int(verbose), unit_name="batch")
    found: list[Any] = [(0, [0.0, 0.0]) for _ in layers]
    held = [_host(layer) for layer in layers]
    seen = 0

    def train(place, call, inputs, *args, training=None, **kwargs):  # noqa: ARG001
        outputs = call(inputs, *args, training=True, **kwargs)
        if layers[place].momentum < 1.0:
            add(place, len(inputs))
        return outputs

    def add(place, count):
        layer = layers[place]
        starts, held[place] = held[place], _host(layer)
        many = parts(layer, count)
        of_batch = of_calls(layer.momentum, many, starts, held[place])
        so_far, ours = found[place]
        found[place] = (so_far + count, pooled(so_far, ours, count, of_batch))

    try:
        with _trainable(layers), around_calls(layers, train):
            for batch in batches(data):
                model(batch[0] if isinstance(batch, tuple) else batch, training=False)
                seen += 1
                bar.update(seen)
        if seen:
            bar.update(seen, finalize=True)
    finally:
        for variable, value in zip(statistics_of(model), before, strict=True):
            variable.assign(value)
    if not seen:
        _check.fail("recalibrate", "data", "at least one batch", data)
    for layer, (count, (mean, variance)) in zip(layers, found, strict=True):
        if count:
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(np.maximum(variance, 0.0))


def _host(layer):
    return [np.array(x, "float64") for x in (layer.moving_mean, layer.moving_variance)]


def batches(data: Any):
    """Batches of a data set of any kind, once."""
    if isinstance(data, keras.utils.PyDataset):
        return (data[number] for number in range(data.num_batches or 0))
    return iter(data)
