"""Weight decay and momentum that follow a schedule."""
# ruff: noqa: ARG002  Keras fixes the arguments of the hooks.

import contextlib
import math
from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.callbacks._optimizers import innermost, named, number, steps_of
from perfkit.callbacks._stand_in import StandIn


class OptimizerSchedule(keras.callbacks.Callback):
    """Have weight decay or momentum follow a schedule during `fit`.

    Each value is computed within the compiled step, from the same count of steps that
    the learning rate goes by. So a run that is resumed goes on as if it had not been
    interrupted; nothing is added to the model or to the optimizer, and what is saved
    has the numbers that the optimizer was made with, as it has after `fit`; after one
    that broke off call `on_train_end()` of this object. The values are written into the
    logs as `weight_decay` and `momentum`.

    Schedules of one cycle fit together: `OneCycle(0.1, steps)` for the rate and
    `OneCycle(0.85, steps, start=0.95, end=0.95)` for the momentum. Keras multiplies
    weight decay by the rate as well.

    Args:
        weight_decay: A `LearningRateSchedule`, or a function of the step, a tensor;
            `None` leaves the weight decay as it is.
        momentum: The same for `momentum` of SGD, RMSprop and others, or, where there
            is none, for `beta_1` of Adam and its like.

    Raises:
        TypeError: If a schedule cannot be called, or the model has no Keras optimizer.
        ValueError: If both are `None`; in `fit`, if the optimizer has nothing of the
            kind, if SGD and RMSprop were made with a momentum of 0, or if a value at
            the begin or the end of an epoch is out of bounds.

    Example:
        >>> import numpy as np
        >>> ones = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
        >>> model = keras.Sequential([keras.Input((1,)), ones])
        >>> model.compile(keras.optimizers.SGD(1.0, weight_decay=0.0), "mse")
        >>> decay = OptimizerSchedule(weight_decay=lambda step: 0.5 * step)
        >>> data = np.zeros((2, 1))  # no gradient: the weight decays by 0.0, then 0.5
        >>> history = model.fit(data, data, 1, verbose=0, callbacks=[decay])
        >>> float(model.get_weights()[0][0, 0])
        0.5

    Reference: none (standard).
    """

    def __init__(self, *, weight_decay=None, momentum=None):
        super().__init__()
        given = {"weight_decay": weight_decay, "momentum": momentum}
        self._schedules = {k: v for k, v in given.items() if v is not None}
        for name, schedule in self._schedules.items():
            if not callable(schedule):
                expected = "a schedule, or a function of the step"
                _check.fail("OptimizerSchedule", name, expected, schedule, TypeError)
        if not self._schedules:
            expected = "given, or `weight_decay`"
            _check.fail("OptimizerSchedule", "momentum", expected, momentum)
        self.weight_decay, self.momentum = weight_decay, momentum
        self._traced = 0

    def on_train_begin(self, logs=None):
        model: Any = self.model
        self._traced = 0
        optimizers = innermost("OptimizerSchedule", model)
        for optimizer in optimizers:
            names = {key: _attribute(key, optimizer) for key in self._schedules}
            vars(optimizer).pop("apply", None)  # left over where a `fit` broke off
            vars(optimizer)["apply"] = self._apply_of(optimizer, names)
            for key in names:
                self._checked(key, ops.convert_to_tensor(steps_of(optimizer)))
        model.make_train_function(force=True)

    def _checked(self, key, step):
        """What a schedule says for a step, as a number."""
        value = number(self._schedules[key](step))
        if not 0.0 <= value < (1.0 if key == "momentum" else math.inf):
            bounds = "within [0, 1)" if key == "momentum" else "of at least 0"
            expected = f"a schedule of numbers {bounds}, where it gave one"
            _check.fail("OptimizerSchedule", key, expected, value)
        return value

    def _apply_of(self, optimizer, names):
        """The optimizer's `apply`, with the values of the step in place."""
        apply = optimizer.apply

        def scheduled(*args, **kwargs):
            self._traced += 1
            step = ops.convert_to_tensor(steps_of(optimizer))
            with contextlib.ExitStack() as stack:
                for key, name in names.items():
                    value = ops.cast(self._schedules[key](step), "float32")
                    value = StandIn(value) if name == "momentum" else value
                    stack.enter_context(_replaced(optimizer, name, value))
                return apply(*args, **kwargs)

        return scheduled

    def on_train_batch_end(self, batch, logs=None):
        if not self._traced:
            expected = "that of a model whose optimizer calls `apply`"
            optimizer = getattr(self.model, "optimizer", None)
            _check.fail("OptimizerSchedule", "model", expected, optimizer)

    def on_epoch_end(self, epoch, logs=None):
        if logs is None:
            return
        optimizers = innermost("OptimizerSchedule", self.model)
        for optimizer in optimizers:
            step = ops.convert_to_tensor(steps_of(optimizer))
            for key in self._schedules:
                logs[named(key, optimizer, optimizers)] = self._checked(key, step)

    def on_train_end(self, logs=None):
        model: Any = self.model
        for optimizer in innermost("OptimizerSchedule", model):
            vars(optimizer).pop("apply", None)
        model.make_train_function(force=True)


@contextlib.contextmanager
def _replaced(optimizer, name, value):
    """Have an attribute of the optimizer be a tensor for a while."""
    kept = vars(optimizer)[name]
    vars(optimizer)[name] = value  # not for Keras to track
    try:
        yield
    finally:
        vars(optimizer)[name] = kept


def _attribute(key, optimizer):
    """What the optimizer calls it."""
    names = ("weight_decay",) if key == "weight_decay" else ("momentum", "beta_1")
    name = next((name for name in names if name in vars(optimizer)), None)
    kind = type(optimizer).__name__
    if name is None:
        expected = f"left out, as {kind} has none"
        _check.fail("OptimizerSchedule", key, expected, optimizer)
    if key == "momentum" and hasattr(optimizer, "averaged"):
        expected = f"left out, as {kind} computes its averages from it"
        _check.fail("OptimizerSchedule", key, expected, optimizer)
    if name == "momentum" and not optimizer.momentum:
        expected = f"that of an optimizer made with some: `{kind}(momentum=0.9)`"
        _check.fail("OptimizerSchedule", key, expected, optimizer.momentum)
    return name
