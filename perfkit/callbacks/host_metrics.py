"""Metrics of NumPy arrays in the logs of each epoch."""

from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph import batch_norm

_METHODS = ("reset_state", "update_state", "result")


class HostMetrics(keras.callbacks.Callback):
    """Write metrics that cannot be compiled into the logs of each epoch.

    After an epoch the model predicts the data, batch by batch, and the metrics get what
    is predicted as NumPy arrays. It is the same on TensorFlow and JAX.

    Put this callback before those that read the logs or watch a figure, such as
    `ModelCheckpoint`, and after `SwapWeights`. Figures that are not written in an epoch
    are not in its logs, as it is with Keras's `validation_freq`.

    Args:
        metrics: One or a list of them: `perfkit.metrics.MeanAveragePrecision`, metrics
            of Keras, or anything with their `reset_state`, `update_state` and `result`.
        data: Batches `(inputs, targets)`, which can be had more than once: a
            `tf.data.Dataset`, a `PyDataset` or a list.
        predict: Function of a batch of inputs that makes what the metrics take; `None`
            for `predict_on_batch` of the model.
        every: Epochs from one measurement to the next, at least 1. The last epoch is
            measured in any case.
        names: Names of the figures to write, without prefix; `None` for all.
        prefix: What names in the logs begin with.

    Raises:
        TypeError: If something in `metrics` is no metric.
        ValueError: If an argument is out of bounds; in `fit`, if a metric has no figure
            of a name, or there are no data.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> x, y = np.zeros((8, 3)), np.zeros((8, 1))
        >>> seen = HostMetrics(keras.metrics.MeanSquaredError(), [(x, y)])
        >>> history = model.fit(x, y, verbose=0, callbacks=[seen])
        >>> sorted(history.history)
        ['loss', 'val_mean_squared_error']

    Reference: none (standard).
    """

    def __init__(
        self, metrics, data, *, predict=None, every=1, names=None, prefix="val_"
    ):
        super().__init__()
        owner = "HostMetrics"
        metrics = [*metrics] if isinstance(metrics, (list, tuple)) else [metrics]
        for metric in metrics:
            if not all(hasattr(metric, method) for method in _METHODS):
                expected = f"metrics with {', '.join(_METHODS)}"
                _check.fail(owner, "metrics", expected, metric, TypeError)
        self.metrics = metrics
        of_batches = hasattr(data, "__iter__") or isinstance(
            data, keras.utils.PyDataset
        )
        if not of_batches or isinstance(data, tuple) or hasattr(data, "shape"):
            expected = "batches `(inputs, targets)`: a data set or a list"
            _check.fail(owner, "data", expected, data)
        if hasattr(data, "__next__"):
            expected = "batches that can be had more than once, so no generator"
            _check.fail(owner, "data", expected, data)
        self.data = data
        if predict is not None and not callable(predict):
            _check.fail(owner, "predict", "a function or None", predict, TypeError)
        self.predict = predict
        self.every = _check.integer(owner, "every", every)
        if isinstance(names, str) or (
            names is not None and not all(isinstance(name, str) for name in names)
        ):
            _check.fail(owner, "names", "a list of names, or None", names)
        self.names = None if names is None else [*names]
        self.prefix = _check.instance(owner, "prefix", prefix, str)

    def on_epoch_end(self, epoch, logs=None):
        epochs = (self.params or {}).get("epochs")
        if (epoch + 1) % self.every and epoch + 1 != epochs:
            return
        figures = self.measure()
        if logs is not None:
            logs.update({f"{self.prefix}{name}": x for name, x in figures.items()})

    def measure(self):
        """Figures of the model as it is, by name."""
        model: Any = self.model
        predict = self.predict or model.predict_on_batch
        for metric in self.metrics:
            metric.reset_state()
        batches: Any = batch_norm.batches(self.data)
        batch = None
        for batch in batches:
            inputs, targets = _arrays(batch[0]), _arrays(batch[1])
            predictions = _arrays(predict(inputs))
            for metric in self.metrics:
                metric.update_state(targets, predictions)
        if batch is None:
            _check.fail("HostMetrics", "data", "of one batch or more", self.data)
        figures = {}
        for metric in self.metrics:
            result = metric.result()
            result = result if isinstance(result, dict) else {metric.name: result}
            figures.update({name: float(x) for name, x in result.items()})
        if self.names is None:
            return figures
        missing = set(self.names) - set(figures)
        if missing:
            expected = f"among {sorted(figures)}"
            _check.fail("HostMetrics", "names", expected, sorted(missing))
        return {name: figures[name] for name in self.names}


def _arrays(tensors) -> Any:
    return keras.tree.map_structure(np.asarray, tensors)
