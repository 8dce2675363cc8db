"""Averaged weights for validation and saving."""
# ruff: noqa: ARG002  Keras fixes the arguments of the hooks.

import warnings
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit._train_step import attach, chain
from perfkit.graph import batch_norm


class SwapWeights(keras.callbacks.Callback):
    """Have the model hold its averaged weights wherever it is not trained.

    For optimizers that average weights: `perfkit.optimizers.WeightAverage` and the
    schedule-free ones. Validation, evaluation and prediction see the averages, so do
    callbacks that save at the end of an epoch if they come after this one in the list,
    and the model that `fit` leaves behind. The next epoch, and the next `fit` with this
    callback, also of the model that was saved and loaded, goes on from the trained
    weights.

    The moving statistics of batch normalization belong to the weights. They are
    averaged with those by `WeightAverage`, to which the model is attached here, or
    computed anew from `recalibrate`.

    Args:
        recalibrate: Batches of inputs, or of tuples that begin with inputs, some tens
            of them, such as `train_data.take(50)`: a `tf.data.Dataset`, a `PyDataset`
            or a list. The model sees them once an epoch.

    Raises:
        ValueError: In `fit`, if the optimizer averages no weights.

    Example:
        >>> from perfkit import optimizers
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile(optimizers.WeightAverage("adam"), "mse")
        >>> x, y = np.ones((8, 3)), np.ones((8, 1))
        >>> history = model.fit(x, y, verbose=0, callbacks=[SwapWeights()])
        >>> model.optimizer.averaged
        True

    Reference: none (standard).
    """

    def __init__(self, *, recalibrate: Any = None):
        super().__init__()
        if isinstance(recalibrate, tuple) or hasattr(recalibrate, "shape"):
            expected = "a list of batches, such as `[images[:64], images[64:128]]`, or "
            expected += "a data set of them"
            _check.fail("SwapWeights", "recalibrate", expected, recalibrate)
        if recalibrate is not None and not hasattr(recalibrate, "__len__"):
            if not hasattr(recalibrate, "__iter__"):
                expected = "batches: a data set or a list"
                _check.fail("SwapWeights", "recalibrate", expected, recalibrate)
            if iter(recalibrate) is recalibrate:
                expected = "batches that can be had more than once, so no generator"
                _check.fail("SwapWeights", "recalibrate", expected, recalibrate)
        self.recalibrate = recalibrate
        self._swapped_in: list[Any] = []  # moving statistics that came with a swap
        self._calibrated: list[Any] = []
        self._at = -1  # the iteration they belong to

    def _averaging(self) -> Any:
        model: Any = self.model
        found = [x for x in chain(model.optimizer) if hasattr(x, "averaged")]
        if not found:
            raise ValueError(
                "`SwapWeights` needs an optimizer that averages weights, such as "
                f"`perfkit.optimizers.WeightAverage`. Received: {model.optimizer}"
            )
        return found[0]

    def _hold(self, averages):
        """Have the model hold the averages or the trained weights."""
        optimizer = self._averaging()
        if not optimizer.built or optimizer.averaged == averages:
            return
        statistics = batch_norm.statistics_of(self.model)
        anew = self.recalibrate is not None and statistics
        if not averages:
            for variable, value in zip(statistics, self._swapped_in, strict=False):
                variable.assign(value)
            self._swapped_in = []
        optimizer.swap()
        if anew and optimizer.averaged:
            self._swapped_in = [np.copy(variable) for variable in statistics]
            self._set_statistics(statistics)

    def _set_statistics(self, statistics):
        iterations: Any = self._averaging().iterations
        at = int(iterations.numpy())
        if at != self._at:
            batch_norm.recalibrate(self.model, self.recalibrate)
            self._calibrated = [np.copy(variable) for variable in statistics]
            self._at = at
        for variable, value in zip(statistics, self._calibrated, strict=True):
            variable.assign(value)

    def on_train_begin(self, logs=None):
        optimizer = self._averaging()
        attach(self.model)
        known = self.recalibrate is not None or hasattr(optimizer, "statistic_slots")
        if not known and batch_norm.statistics_of(self.model):
            warnings.warn(
                "`SwapWeights`: the moving statistics of batch normalization belong to "
                "the trained weights, not to the averages that the model will hold. "
                "Give `recalibrate=` some batches.",
                stacklevel=2,
            )
        self._hold(False)

    def on_epoch_begin(self, epoch, logs=None):
        self._hold(False)

    def on_epoch_end(self, epoch, logs=None):
        self._hold(True)

    def on_train_end(self, logs=None):
        self._hold(True)

    def on_test_begin(self, logs=None):
        self._was = self._averaging().averaged
        self._hold(True)

    def on_test_end(self, logs=None):
        self._hold(self._was)

    def on_predict_begin(self, logs=None):
        self.on_test_begin()

    def on_predict_end(self, logs=None):
        self.on_test_end()
