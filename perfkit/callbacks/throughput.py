"""Training speed in the logs of each epoch."""
# ruff: noqa: ARG002  Keras fixes the arguments of the hooks.

import time
from typing import Any

import keras
import numpy as np

from perfkit import _check


class Throughput(keras.callbacks.Callback):
    """Write samples per second and time per step into the logs of each epoch.

    `samples_per_second` is all samples over all the time from the first step to
    the end of the last, with the wait for data and the batch hooks of other
    callbacks; validation and whatever else lies between epochs is left out.
    `step_ms` is the median time from the end of one step to the end of the next,
    in milliseconds. Where samples per second stay behind it, the epoch had
    pauses: data that came in bursts, a checkpoint, or, in the first epoch, the
    compilation for a smaller last batch.

    Steps that run after they are dispatched, as on JAX, are timed when their logs
    reach the host. Training is not held up, but at the two ends of an epoch.

    Samples are counted by the `loss` metric of the model, so data of every kind
    and length will do, and a smaller last batch counts as what it is. Put this
    callback first: those after it, such as `CSVLogger` and `TensorBoard`, find
    the figures in the logs (`History` always does), and those before it must not
    evaluate the model, which resets its metrics.

    Args:
        skip: Steps to leave out at the beginning of each `fit`, across epochs if
            need be. At least 0; the first step compiles. An epoch without any
            other step gets NaN.
        batch_size: Samples per step, at least 1, for a `train_step` of your own
            that does not weight the `loss` metric by the number of samples.

    Raises:
        ValueError: If an argument is out of bounds, or in `fit`, after `skip`
            steps, if the samples cannot be counted and need `batch_size`.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.zeros((20, 3)), np.zeros((20, 1))
        >>> speed = Throughput()
        >>> history = model.fit(x, y, batch_size=8, verbose=0, callbacks=[speed])
        >>> sorted(history.history)
        ['loss', 'samples_per_second', 'step_ms']

    Reference: none (standard).
    """

    # Lets Keras call `on_train_batch_end` from its own threads, where it just
    # notes the time. Otherwise JAX would wait for every step.
    async_safe = True

    def __init__(self, *, skip=1, batch_size=None):
        super().__init__()
        self.skip = _check.integer("Throughput", "skip", skip, 0)
        if batch_size is not None:
            batch_size = _check.integer("Throughput", "batch_size", batch_size)
        self.batch_size = batch_size
        self._past = 0  # steps of this fit in the epochs before
        self._begin_epoch()

    def _begin_epoch(self):
        self._start: Any = None  # (steps done, time) where the measuring starts
        self._ends = []  # the same, after each step
        self._first: Any = None  # samples counted there
        self._last: Any = None  # samples counted after the last step

    def on_train_begin(self, logs=None):
        self._past = 0

    def on_epoch_begin(self, epoch, logs=None):
        self._begin_epoch()

    def on_train_batch_begin(self, batch, logs=None):
        if self._start is None and self._past + batch >= self.skip:
            self._first = self._count()  # waits for the steps before
            self._samples(batch, self._first)
            self._start = (batch, time.perf_counter())

    def on_train_batch_end(self, batch, logs=None):
        self._ends.append((batch + 1, time.perf_counter()))

    def on_test_begin(self, logs=None):
        self._last = self._count()  # validation is about to reset the metrics

    def on_epoch_end(self, epoch, logs=None):
        if self._last is None:
            self._last = self._count()
        # The last of several steps per execution may find no more data.
        steps = (self.params or {}).get("steps") or float("inf")
        ends = [(min(done, steps), moment) for done, moment in self._ends]
        if logs is not None:
            logs.update(self._figures(ends))
        self._past += max((done for done, _ in ends), default=0)

    def _figures(self, ends):
        after = [end for end in ends if self._start and end[0] > self._start[0]]
        if not after:
            return {"samples_per_second": float("nan"), "step_ms": float("nan")}
        # Each column by itself: threads may note two steps in the wrong order.
        steps, seconds = np.sort([self._start, *after], axis=0).T
        samples = self._samples(steps[-1] - steps[0], self._last - self._first)
        return {
            "samples_per_second": float(samples / (seconds[-1] - seconds[0])),
            "step_ms": float(1e3 * np.median(np.diff(seconds) / np.diff(steps))),
        }

    def _count(self):
        """Return over how many samples `loss` has been averaged in this epoch."""
        model: Any = self.model
        for metric in model.metrics:
            if metric.name == "loss" and isinstance(metric, keras.metrics.Mean):
                count: Any = keras.ops.convert_to_numpy(metric.count)
                return float(count)
        return 0.0

    def _samples(self, steps, counted):
        if self.batch_size is not None:
            return steps * self.batch_size
        model: Any = self.model
        own = type(model).train_step is not keras.Model.train_step
        if steps and (counted < steps or (own and counted == steps)):
            expected = "given, as the `loss` metric of this model counts no samples"
            _check.fail("Throughput", "batch_size", expected, None)
        return counted
