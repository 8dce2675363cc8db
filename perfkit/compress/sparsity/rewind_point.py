"""Remember the weights of early training."""
# ruff: noqa: ARG002  Keras fixes the arguments of the hooks.

from typing import Any

import keras

from perfkit import _check
from perfkit.graph.arrays import array


class RewindPoint(keras.callbacks.Callback):
    """Remember the weights that a model has early in training, for `rewind`.

    It takes all weights, moving statistics too, as they are after so many steps of the
    optimizer. It does so once: a later `fit` changes nothing.

    Args:
        steps: How many steps of the optimizer. At least 0, which is before training.

    Attributes:
        at: After how many steps it was, or None before. It may be more than `steps`,
            where `fit` does several steps at once or begins later.

    Raises:
        ValueError: If `steps` is out of bounds.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> model.compile("sgd", "mse")
        >>> early = RewindPoint(steps=1)
        >>> x, y = np.ones((8, 3)), np.ones((8, 2))
        >>> history = model.fit(x, y, batch_size=2, verbose=0, callbacks=[early])
        >>> early.at
        1

    Reference: Frankle et al., Linear Mode Connectivity and the Lottery Ticket
        Hypothesis, 2020, arXiv 1912.05671; at 0, Frankle and Carbin, The Lottery Ticket
        Hypothesis, 2019, arXiv 1803.03635.
    """

    def __init__(self, steps=0):
        super().__init__()
        self.steps = _check.integer("RewindPoint", "steps", steps, 0)
        self.at: int | None = None
        self._pairs: list[tuple[Any, Any]] = []
        self._done = 0

    def value_of(self, variable) -> Any:
        """Return the early value of a variable as an array, or None if unknown."""
        found = [value for known, value in self._pairs if known is variable]
        return found[0] if found else None

    def on_epoch_begin(self, epoch, logs=None):
        model: Any = self.model  # asking for it has JAX give values back
        *_, count = [v for v in model.optimizer.variables if v.name == "iteration"]
        self._done = int(array(count))

    def on_train_batch_begin(self, batch, logs=None):
        if self.at is None and self._done + batch >= self.steps:
            model: Any = self.model
            self._pairs = [(weight, array(weight)) for weight in model.weights]
            self.at = self._done + batch
