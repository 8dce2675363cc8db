"""A plateau lowers the learning rate, whatever schedule it follows."""
# ruff: noqa: ARG002  Keras fixes the arguments of the hooks.

import math
import warnings
from typing import Any

import keras
from keras.optimizers.schedules import LearningRateSchedule

from perfkit import _backend, _check
from perfkit.callbacks._optimizers import innermost, named, number
from perfkit.callbacks.lowered import Lowered

_RISING = ("acc", "auc", "precision", "recall", "f1", "iou", "dice", "r2", "score")
_FALLING = ("loss", "error", "mse", "mae", "entropy", "perplexity", "divergence")


class PlateauAware(keras.callbacks.Callback):
    """Lower the learning rate when a figure has stopped to improve.

    As `keras.callbacks.ReduceLROnPlateau`, and with a `LearningRateSchedule` as well:
    the optimizer goes on following it, at a fraction of its rate. The fraction is saved
    with the model, as part of its schedule (`Lowered`), and nothing is added to the
    state of the optimizer. A constant rate is just set; under a schedule the train step
    is compiled anew each time the rate is lowered, as the schedule is a part of it.

    What is counted goes on in a second `fit` with the same object. To go on in another
    process, keep `state` beside the model and set it on a new callback.

    The rate is written into the logs as `learning_rate`, before it is lowered.

    Args:
        monitor: Key of the logs, such as `"val_loss"`.
        factor: What the rate is multiplied by. Above 0, below 1.
        patience: Epochs without improvement after which it is. At least 1.
        verbose: 1 prints when the rate is lowered, 0 does not.
        mode: `"min"`, `"max"`, or `"auto"` to tell from the name.
        min_delta: What counts as an improvement, at least. At least 0.
        cooldown: Epochs after lowering in which nothing is counted. At least 0.
        min_rate: Rate that is not gone below. At least 0.

    Raises:
        ValueError: If an argument is out of bounds, or `mode` cannot be told; in `fit`,
            if the figure is missing in the logs.
        TypeError: In `fit`, if the rate is a function that is not a schedule.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> decay = keras.optimizers.schedules.PolynomialDecay(1.0, 4, 0.0)
        >>> model.compile(keras.optimizers.SGD(decay), "mse")
        >>> plateau = PlateauAware("loss", factor=0.5, patience=1)
        >>> data = np.zeros((1, 1))  # nothing to learn
        >>> history = model.fit(data, data, epochs=3, verbose=0, callbacks=[plateau])
        >>> history.history["learning_rate"]
        [0.75, 0.5, 0.125]

    Reference: none (standard).
    """

    def __init__(
        self,
        monitor="val_loss",
        factor=0.1,
        patience=10,
        *,
        verbose=0,
        mode="auto",
        min_delta=1e-4,
        cooldown=0,
        min_rate=0.0,
    ):
        super().__init__()
        owner = "PlateauAware"
        self.monitor = _check.instance(owner, "monitor", monitor, str)
        self.factor = _check.inside_unit(owner, "factor", factor)
        self.patience = _check.integer(owner, "patience", patience)
        self.verbose = _check.integer(owner, "verbose", verbose, 0, 1)
        self.mode = _told(monitor, mode)
        self.min_delta = _check.number(owner, "min_delta", min_delta, 0.0)
        self.cooldown = _check.integer(owner, "cooldown", cooldown, 0)
        self.min_rate = _check.number(owner, "min_rate", min_rate, 0.0)
        self._state = {"best": None, "wait": 0, "cooldown": 0, "factor": 1.0}
        self._warned = False

    @property
    def state(self) -> dict[str, Any]:
        """What has been counted, for `json.dumps`; set it to go on from there."""
        return dict(self._state)

    @state.setter
    def state(self, state):
        if not isinstance(state, dict) or set(state) != set(self._state):
            _check.fail(
                "PlateauAware", "state", f"of the keys {list(self._state)}", state
            )
        self._state = dict(state)

    def on_train_begin(self, logs=None):
        optimizers = innermost("PlateauAware", self.model)
        for optimizer in optimizers:
            rate = _backend.rate_of(optimizer)
            if isinstance(rate, LearningRateSchedule):
                # The schedule is new, and the state is not.
                if self._state["factor"] < 1.0 and not isinstance(rate, Lowered):
                    self._lower(optimizer, rate, self._state["factor"])
            elif not isinstance(rate, keras.Variable):
                expected = (
                    "that of an optimizer with a number or a schedule as its rate"
                )
                _check.fail("PlateauAware", "model", expected, rate, TypeError)

    def on_epoch_end(self, epoch, logs=None):
        optimizers = innermost("PlateauAware", self.model)
        logs = {} if logs is None else logs
        for optimizer in optimizers:
            rate = number(optimizer.learning_rate)
            logs[named("learning_rate", optimizer, optimizers)] = rate
        if self.monitor not in logs:
            self._miss(logs)
            return
        if self._is_due(float(logs[self.monitor])):
            lowered = [self._lowered(optimizer, epoch) for optimizer in optimizers]
            if any(lowered):
                self._state.update(wait=0, cooldown=self.cooldown)
                self._state["factor"] *= self.factor

    def _is_due(self, value):
        """Count an epoch; whether there were enough without improvement."""
        state = self._state
        if state["cooldown"] > 0:
            state.update(wait=0, cooldown=state["cooldown"] - 1)
        sign = 1.0 if self.mode == "max" else -1.0
        best = state["best"]
        better = best is None or sign * (value - best) > self.min_delta
        if better and not math.isnan(value):
            state.update(wait=0, best=value)
        elif state["cooldown"] == 0:
            state["wait"] += 1
        return state["wait"] >= self.patience

    def _lowered(self, optimizer, epoch):
        rate = number(optimizer.learning_rate)
        if rate <= self.min_rate * (1.0 + 1e-6):
            return False
        source = _backend.rate_of(optimizer)
        if isinstance(source, LearningRateSchedule):
            self._lower(optimizer, source, self.factor)
        else:
            optimizer.learning_rate = max(rate * self.factor, self.min_rate)
        if self.verbose:
            now = number(optimizer.learning_rate)
            print(f"\nEpoch {epoch + 1}: learning rate lowered to {now:.6g}.")
        return True

    def _lower(self, optimizer, schedule, factor):
        if isinstance(schedule, Lowered):
            schedule, factor = schedule.schedule, schedule.factor * factor
        optimizer.learning_rate = Lowered(schedule, factor, min_rate=self.min_rate)
        model: Any = self.model
        model.make_train_function(force=True)

    def _miss(self, logs):
        later = self.monitor.startswith("val_") and not any(
            key.startswith("val_") for key in logs
        )
        if not later:
            expected = f"one of the logs, which are {sorted(logs)}"
            _check.fail("PlateauAware", "monitor", expected, self.monitor)
        if not self._warned:  # perhaps it is validated in some epochs only
            self._warned = True
            warnings.warn(
                f"`PlateauAware` waits for {self.monitor}, which this epoch lacks.",
                stacklevel=2,
            )


def _told(monitor, mode):
    """Whether a figure is to fall or to rise."""
    _check.one_of("PlateauAware", "mode", mode, ("auto", "min", "max"))
    if mode != "auto":
        return mode
    name = monitor.removeprefix("val_").lower()
    if any(word in name for word in _FALLING):
        return "min"
    if not any(word in name for word in _RISING):
        expected = f'"min" or "max", as {monitor!r} does not tell (is it misspelt?)'
        _check.fail("PlateauAware", "mode", expected, mode)
    return "max"
