"""Dropout that follows a schedule."""
# ruff: noqa: ARG002  Keras fixes the arguments of the hooks.

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.callbacks._optimizers import innermost, number, steps_of
from perfkit.graph.trails import trails

# Keras's layers that are saved with a rate of 0 come back unable to drop.
_LEAST = 1e-7
_STOCK = (
    keras.layers.Dropout,
    keras.layers.SpatialDropout1D,
    keras.layers.SpatialDropout2D,
    keras.layers.SpatialDropout3D,
    keras.layers.GaussianDropout,
    keras.layers.AlphaDropout,
)


class DropoutSchedule(keras.callbacks.Callback):
    """Have the rate of dropout follow a schedule, epoch by epoch.

    At the beginning of an epoch the rate is what the schedule says for the number of
    steps so far, so that a run that is resumed goes on as if it had not been
    interrupted. Layers keep their rate as a number that the compiled step contains:
    each time it changes by more than `tolerance`, the step is compiled anew. After
    `fit` the layers have their own rates again; a model that is saved meanwhile, and
    one that is loaded from there, has those of the moment. After a `fit` that broke off
    call `on_train_end()` of this object. The rate is in the logs as `dropout`.

    Args:
        schedule: A `LearningRateSchedule`, or a function of the step, which gives a
            rate within [0, 1).
        layers: The layers that follow it: Keras's dropout layers, or those of
            `perfkit.layers` that drop; `None` for all in the model. Those of Keras
            must be made with a rate above 0, for they have no generator otherwise.
        tolerance: Change of the rate that is not worth a compilation. Within [0, 1];
            0 follows every change.

    Raises:
        TypeError: If `schedule` cannot be called, or `layers` holds something else.
        ValueError: If `tolerance` is out of bounds; in `fit`, if there is no such layer
            in the model, or the schedule gives no rate.

    Example:
        >>> import numpy as np
        >>> dense, dropout = keras.layers.Dense(1), keras.layers.Dropout(0.5)
        >>> model = keras.Sequential([keras.Input((1,)), dense, dropout])
        >>> model.compile("sgd", "mse")
        >>> rising = DropoutSchedule(lambda step: 0.25 * step)
        >>> data = np.zeros((1, 1))
        >>> history = model.fit(data, data, epochs=3, verbose=0, callbacks=[rising])
        >>> history.history["dropout"], dropout.rate
        ([0.0, 0.25, 0.5], 0.5)

    Reference: Morerio et al., Curriculum Dropout, 2017, arXiv 1703.06229, whose rate
        grows from 0 within the epochs too.
    """

    def __init__(self, schedule, *, layers=None, tolerance=0.01):
        super().__init__()
        owner = "DropoutSchedule"
        if not callable(schedule):
            expected = "a schedule, or a function of the step"
            _check.fail(owner, "schedule", expected, schedule, TypeError)
        self.schedule = schedule
        if layers is not None:
            _check.instance(owner, "layers", layers, (list, tuple))
            if not all(isinstance(layer, keras.Layer) for layer in layers):
                expected = "a list of layers, such as `[model.get_layer('dropout')]`"
                _check.fail(owner, "layers", expected, layers, TypeError)
        self.layers = layers
        self.tolerance = _check.unit(owner, "tolerance", tolerance)
        self._kept = []  # layers, and their own rates

    def on_train_begin(self, logs=None):
        self._restore()  # where a `fit` broke off
        inside = list({id(way[-1]): way[-1] for way in trails(self.model)}.values())
        chosen = [each for each in inside if _drops(each)]
        if self.layers is not None:
            chosen = [each for each in chosen if each in self.layers]
        if not chosen or len(chosen) < len(self.layers or ()):
            names = [each.name for each in inside if _drops(each)]
            expected = "layers of the model that drop with a rate above 0, which are "
            expected += ", ".join(names) or "none; see `regularizers.attach_dropout`"
            _check.fail("DropoutSchedule", "layers", expected, self.layers)
        self._kept = [(each, each.rate) for each in chosen]

    def on_epoch_begin(self, epoch, logs=None):
        model: Any = self.model
        optimizer = innermost("DropoutSchedule", model)[0]
        step = ops.convert_to_tensor(steps_of(optimizer))
        rate = round(number(self.schedule(step)), 7)
        if not 0.0 <= rate < 1.0:
            _check.fail("DropoutSchedule", "schedule", "a rate within [0, 1)", rate)
        rate = max(rate, _LEAST)
        if all(abs(each.rate - rate) <= self.tolerance for each, _ in self._kept):
            return
        for each, _ in self._kept:
            each.rate = rate
        model.make_train_function(force=True)

    def on_epoch_end(self, epoch, logs=None):
        if logs is not None:
            rate = self._kept[0][0].rate
            logs["dropout"] = rate if rate > _LEAST else 0.0

    def on_train_end(self, logs=None):
        model: Any = self.model
        self._restore()
        model.make_train_function(force=True)

    def _restore(self):
        for layer, rate in self._kept:
            layer.rate = rate
        self._kept = []


def _drops(layer):
    # Layers of `perfkit.layers` that drop are told by what they consist of.
    own = callable(getattr(layer, "drop", None)) and hasattr(layer, "rate")
    stock = isinstance(layer, _STOCK)
    return (own or stock) and hasattr(layer, "seed_generator")
