"""Outputs of layers, and how far they are from the outputs of other layers.

The model is not compiled for this: a compiled program would have to return tensors from
within loops, which no backend allows.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from perfkit import _backend
from perfkit.compress.lite_model import inner_interpreter, lite_tensor
from perfkit.compress.reporting import _scopes
from perfkit.compress.reporting._lite_file import LiteFile
from perfkit.compress.reporting._units import Unit
from perfkit.graph.watching import around_calls
from perfkit.ops.signal_to_noise import decibels, energies

# Arrays by the paths of layers, in the order of the calls; `None` where a layer is
# called more than once or does not make one tensor. Under "", what the model makes.
Outputs = dict[str, Any]
# Of a batch and what the layers of a reference make of it: the name of each row, the
# paths that its counterpart may have, and what it makes.
Probe = Callable[[Any, Outputs], Iterable[tuple[str, tuple[str, ...], Any]]]
# In decibels, and the path of the layer of the reference that it is against.
Ratio = tuple[float, str]


def outputs(model, units: list[Unit], batch) -> Outputs:
    """Return the outputs of the layers of a model for a batch."""
    watched = [unit for unit in units if unit.layer is not model]
    made: Outputs = {}

    def note(place, call, *arguments, **named):
        result = call(*arguments, **named)
        unit = watched[place]
        # What is made in a model beside its layers has the name of the model.
        is_known = unit.path not in made and not isinstance(unit.layer, keras.Model)
        made.pop(unit.path, None)
        made[unit.path] = _array(result) if is_known else None
        return result

    with around_calls([unit.layer for unit in watched], note):
        result = model(batch, training=False)
    return {**made, "": _array(result)}


def sqnr(reference, folds, probes: list[Probe], batches) -> list[dict[str, Ratio]]:
    """Return signal-to-noise ratios in decibels, for each probe by the names of rows.

    Each is with the path of the layer whose output it is against.

    Args:
        reference: Function from a batch to the outputs of the layers of a model.
        folds: Paths of layers of that model, with those of the layers right behind them
            that may be folded into them elsewhere.
        probes: Functions that give what is compared with it.
        batches: Pairs of a batch and how many samples of it count.
    """
    found: list[dict[tuple[str, str], Any]] = [{} for _ in probes]
    for batch, count in batches:
        expected = reference(batch)
        for probe, sums in zip(probes, found, strict=True):
            rows = list(probe(batch, expected))
            seen = {path for _, paths, _ in rows for path in paths}
            for name, paths, values in rows:
                path = next((path for path in paths if path in expected), None)
                if path in folds and folds[path] not in seen:
                    path = folds[path]
                if path is None or expected[path] is None:
                    continue
                right = expected[path]
                if right.shape == values.shape:  # else it is no counterpart
                    more = energies(right[:count], values[:count])
                    sums[name, path] = sums.get((name, path), 0.0) + more
    return [
        {name: (decibels(*of), path) for (name, path), of in sums.items()}
        for sums in found
    ]


def probe_of_model(model, units: list[Unit]) -> Probe:
    """Compare layers with those of the same path; wrappers, with the path inside."""

    def probe(batch, _):
        made = outputs(model, units, batch)
        for unit in units:
            if made.get(unit.path) is not None:
                yield unit.path, (unit.path, unit.wrapped_path), made[unit.path]

    return probe


class ProbeOfFile:
    """Compare what the operators of a TFLite file make with the layers of a model.

    Args:
        content: Bytes of the file.
        file: What is written in it.

    Attributes:
        counterparts: The path of the layer that the output of an operator is that of,
            by the number of the operator; known after the first batch.
        starts: The path of the first layer in each of these operators, where no other
            operator has it, else its counterpart.
    """

    def __init__(self, content: bytes, file: LiteFile):
        self._file = file
        self._interpreter = inner_interpreter(content)
        self._tensors = {
            details["index"]: details
            for details in self._interpreter.get_tensor_details()
        }
        self.counterparts: dict[int, str] | None = None
        self.starts: dict[int, str] = {}

    def __call__(self, batch, expected):
        if self.counterparts is None:
            self.counterparts = self._find(expected)
        operators = self._file.operators
        wanted = {number: operators[number].outputs[0] for number in self.counterparts}
        made = {number: [] for number in wanted}
        (taken,) = self._interpreter.get_input_details()
        for sample in np.asarray(batch):
            quantized = lite_tensor(taken).quantize(sample[None])
            self._interpreter.set_tensor(taken["index"], quantized)
            self._interpreter.invoke()
            for number, index in wanted.items():
                values = self._interpreter.get_tensor(index)
                made[number].append(
                    lite_tensor(self._tensors[index]).dequantize(values)
                )
        for number, path in self.counterparts.items():
            yield str(number), (path,), np.concatenate(made[number])

    def _find(self, expected) -> dict[int, str]:
        """Find the last operator of each layer, which makes the layer's output."""
        paths = [path for path in expected if path]
        layers = _scopes.layers_of(self._file.names, paths)
        (end,) = self._interpreter.get_output_details()
        last: dict[str, tuple[int, str]] = {}
        for number, operator in enumerate(self._file.operators):
            if not operator.outputs:
                continue
            index = operator.outputs[0]
            of = layers[index]
            path = of[-1] if of else None
            if index == end["index"]:
                path = _last(expected)
            if path is not None and expected[path] is not None:
                last[path] = number, of[0] if of else path
        firsts = Counter(first for _, first in last.values())
        self.starts = {
            number: first if firsts[first] == 1 else path
            for path, (number, first) in last.items()
        }
        return {number: path for path, (number, _) in last.items()}


def _last(expected):
    """Return the layer whose output is the model's, if there is one."""
    ends = [path for path in reversed(expected) if path and expected[path] is not None]
    return next((p for p in ends if np.array_equal(expected[p], expected[""])), None)


def _array(result):
    if keras.tree.is_nested(result) or not _backend.is_concrete(result):
        return None
    return np.asarray(keras.ops.convert_to_numpy(result))
