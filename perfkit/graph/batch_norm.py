"""The moving statistics of batch normalization."""

import contextlib
import functools
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.trails import trails

_turn = threading.Lock()


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


@contextlib.contextmanager
def after_calls(layers, function: Callable[[int, Any], None]):
    """Call a function of a layer's place and its inputs after each call in training.

    Only while the context lasts, and in the thread that entered it. A layer that is
    frozen or told not to train is left out, as its statistics stay.
    """
    thread = threading.get_ident()
    try:
        for place, layer in enumerate(layers):
            with _turn:
                if not isinstance(vars(layer).get("call"), _WatchedCall):
                    vars(layer)["call"] = _WatchedCall(layer)
                layer.call.functions[thread] = functools.partial(function, place)
        yield
    finally:
        for layer in layers:
            with _turn:
                watched = layer.call
                watched.functions.pop(thread, None)
                if not watched.functions:
                    watched.unset()


class _WatchedCall:
    """The `call` of a layer, with functions of its inputs, one for each thread.

    Replicas of `tf.distribute` are threads that call the same layers.
    """

    def __init__(self, layer):
        self._layer: Any = layer
        self._own = vars(layer).get("call")
        self._call = layer.call
        self.functions: dict[int, Callable[[Any], None]] = {}

    def __call__(self, inputs, *args, training=None, **kwargs):
        outputs = self._call(inputs, *args, training=training, **kwargs)
        function = self.functions.get(threading.get_ident())
        if training and self._layer.trainable and function:
            function(inputs)
        return outputs

    def unset(self):
        if self._own is None:
            del vars(self._layer)["call"]
        else:
            vars(self._layer)["call"] = self._own


def parts(layer, samples) -> Any:
    """How often the statistics of a layer move for a batch of so many samples."""
    size = getattr(layer, "virtual_batch_size", None)
    return 1 if size is None else (samples + size - 1) // size


def moments(mean, variance) -> list[Any]:
    """First and second moment, which can be averaged over batches."""
    return [mean, variance + mean**2]


def from_moments(first, second) -> list[Any]:
    """Mean and variance."""
    return [first, second - first**2]


def recalibrate(model, data, *, verbose=False) -> None:
    """Set moving statistics to those of the data.

    Each batch goes through the model as in training. A moving variance becomes the mean
    of the variances within batches plus the variance of their means.

    Args:
        model: A built `keras.Model`.
        data: Batches of inputs, or of tuples that begin with inputs: a list, a
            `tf.data.Dataset`, a `PyDataset`, anything that can be iterated over.
        verbose: Whether to show a progress bar.

    Raises:
        ValueError: If there are no batches.

    A layer that is called more than once gets the statistics of all its calls.
    """
    layers = layers_of(model)
    if not layers:
        return
    moving = {id(variable) for variable in statistics_of(model)}
    rest = [v for v in model.non_trainable_variables if id(v) not in moving]
    before = [np.copy(v) for v in rest]
    bar = keras.utils.Progbar(None, verbose=int(verbose), unit_name="batch")
    sums: list[list[Any]] = [[0.0, 0.0, 0.0] for _ in layers]
    held = [_host(layer) for layer in layers]
    seen = 0

    def add(place, inputs):
        layer = layers[place]
        stays = layer.momentum ** parts(layer, len(inputs))
        starts, held[place] = held[place], _host(layer)
        pairs = zip(starts, held[place], strict=True)
        of_batch = [(end - stays * start) / (1.0 - stays) for start, end in pairs]
        weighted = [len(inputs) * x for x in (1.0, *moments(*of_batch))]
        sums[place] = [x + y for x, y in zip(sums[place], weighted, strict=True)]

    try:
        with after_calls(layers, add):
            for batch in batches(data):
                model(batch[0] if isinstance(batch, tuple) else batch, training=True)
                seen += 1
                bar.update(seen)
    finally:
        for variable, value in zip(rest, before, strict=True):
            variable.assign(value)
    if not seen:
        _check.fail("recalibrate", "data", "at least one batch", data)
    for layer, (total, *of_data) in zip(layers, sums, strict=True):
        if total:
            mean, variance = from_moments(*(x / total for x in of_data))
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(np.maximum(variance, 0.0))


def _host(layer):
    return [np.array(x, "float64") for x in (layer.moving_mean, layer.moving_variance)]


def batches(data: Any):
    """Batches of a data set of any kind, once."""
    if isinstance(data, keras.utils.PyDataset):
        return (data[number] for number in range(data.num_batches or 0))
    return iter(data)
