"""How long predictions take, side by side."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from perfkit import _backend


def compiled(model, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Compile a function of a batch that calls a model: see `_backend.predicting`.

    The weights of the model are those at this moment. What the function does to the
    state of the model is dropped.

    Args:
        model: A built `keras.Model`.
        function: Pure function of tensors.

    Returns:
        Function from arrays to NumPy arrays, with a program for each shape.
    """
    variables = model.variables
    # Arguments rather than constants of the program: XLA would fold them. And tensors:
    # TensorFlow takes three times as long for a call with hundreds of variables.
    values = _backend.copies(variables)

    def pure(values, batch):
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return function(batch)

    program = _backend.predicting(pure)

    def call(batch):
        batch = keras.tree.map_structure(keras.ops.convert_to_tensor, batch)
        outputs = program(values, batch)
        return keras.tree.map_structure(keras.ops.convert_to_numpy, outputs)

    return call


def alternately(calls, repeats, *, settling=0) -> np.ndarray:
    """Return how many milliseconds each call took, `(repeats, calls)`.

    Calls take turns, so that other load on the machine slows all of them: believe the
    ratios within a row. Each call is made once before, untimed.

    Args:
        calls: Functions without arguments that return when all is done.
        repeats: Times each is made. At least 1.
        settling: How often a call is made just before it is timed: what the one before
            it left in caches and threads then counts for less. At least 0.
    """
    for call in calls:
        call()
    took = np.empty((repeats, len(calls)))
    for row in took:
        for place, call in enumerate(calls):
            for _ in range(settling):
                call()
            began = time.perf_counter()
            call()
            row[place] = 1000.0 * (time.perf_counter() - began)
    return took


class Latencies:
    """Median milliseconds of calls that are added one after the other.

    Each is timed in turns with the first one. Its time is the median of the ratios
    times the median time of the first one, so that passing load on the machine does not
    count. Only the first and the last call are needed at a time.

    Args:
        repeats: Times that each call is made. At least 0: then there are no times.
    """

    def __init__(self, repeats):
        self._repeats = repeats
        self._first: Any = None
        self._of_first: list[float] = []
        self._ratios: dict[str, float] = {}

    def add(self, name, call) -> None:
        """Time a call, a function without arguments."""
        if not self._repeats:
            return
        if self._first is None:
            self._first, calls = call, [call]
        else:
            calls = [self._first, call]
        took = alternately(calls, self._repeats)
        self._of_first += took[:, 0].tolist()
        self._ratios[name] = float(np.median(took[:, -1] / took[:, 0]))

    def milliseconds(self) -> dict[str, float]:
        """Return the milliseconds of each call so far, by its name."""
        unit = float(np.median(self._of_first)) if self._of_first else 0.0
        return {name: unit * ratio for name, ratio in self._ratios.items()}
