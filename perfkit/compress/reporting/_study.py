"""Outputs of all subjects, batch by batch, and how good they are."""

from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.compress import _samples
from perfkit.compress.reporting import OWNER, _layer_outputs
from perfkit.compress.reporting._quality import quality
from perfkit.ops.signal_to_noise import decibels, energies

_BYTES = 2**27  # of what the layers of the reference make, at a time


class Study:
    """The outputs of all subjects.

    Args:
        subjects: Keras models and files.
        reference: The subject that others are compared with, or `None`.
        metric: Function of labels and outputs, or `None` for accuracy.
        samples: How many samples layers are compared on.
        batch_size: The most samples in a batch.
    """

    def __init__(self, subjects, reference, metric, samples, batch_size):
        self._subjects, self._reference, self._metric = subjects, reference, metric
        self._most, self._batch_size = samples, batch_size
        everyone = [*subjects, *([] if reference is None else [reference])]
        self._everyone = list({id(each): each for each in everyone}.values())
        self._outputs: dict[int, list[Any]] = {id(each): [] for each in everyone}
        self._inputs: list[Any] = []  # of the first samples
        self._labels: list[Any] = []
        self.samples = 0

    def add(self, x, y) -> None:
        """Have all subjects predict a batch, and keep what they return."""
        for subject in self._everyone:
            expected = subject.misfit(x)
            if expected:
                own = f"inputs of shape {expected}, as {subject.name!r} takes them"
                shapes = [leaf.shape for leaf in keras.tree.flatten(x)]
                if ", ".join(map(_as_sample, shapes)) == expected:
                    own += ", not one sample: write x[None], or call .batch() of a "
                    own += "data set"
                _check.fail(OWNER, "data", own, shapes)
        for subject in self._everyone:
            self._outputs[id(subject)].append(subject.predict(x))
        if self.samples < self._most:
            part = slice(self._most - self.samples)
            self._inputs.append(_samples.rows(x, part))
        self._labels.append(y)
        if (y is None) != (self._labels[0] is None):
            _check.fail(OWNER, "data", "batches all with labels or all without", y)
        self.samples += _samples.samples_of(x)

    def qualities(self) -> list[dict[str, Any]]:
        """Return quality and signal-to-noise ratio of the outputs of each subject."""
        if not self.samples:
            return [{} for _ in self._subjects]
        labels = None if self._labels[0] is None else _joined(self._labels)
        if labels is None and self._metric is not None:
            _check.fail(OWNER, "data", "a pair (x, y), with `metric`", None)
        outputs = {key: _joined(parts) for key, parts in self._outputs.items()}
        if not _are_alike(_joined(self._inputs)):
            self._note_constants(outputs)
        found = []
        for subject in self._subjects:
            own, more = outputs[id(subject)], {}
            if own is not None and labels is not None:
                more["quality"], note = quality(own, labels, self._metric)
                subject.notes += [note] if note else []
            if self._reference not in (None, subject):
                more["sqnr"] = _sqnr(outputs[id(self._reference)], own)
            found.append(more)
        return found

    def _note_constants(self, outputs) -> None:
        for subject in self._everyone:
            if _are_alike(outputs[id(subject)]):
                note = f"the outputs of {subject.name!r} do not depend on the inputs: "
                note += "they are the same for all samples, and SQNR says nothing"
                seen = [subject] if subject in self._subjects else self._subjects
                for each in seen:
                    each.notes.append(note)

    def layers(self) -> list[dict[str, _layer_outputs.Ratio]]:
        """Return the signal-to-noise ratios of the layers of each subject."""
        reference = self._reference
        others = [each for each in self._subjects if each is not reference]
        if reference is None or not others or not self.samples:
            return [{} for _ in self._subjects]
        size = max(1, min(self._batch_size, _BYTES // max(1, reference.layer_bytes)))
        x = _joined(self._inputs)
        found = _layer_outputs.sqnr(
            reference.outputs,
            reference.folds,
            [each.probe() for each in others],
            _samples.equal_batches(x, min(size, _samples.samples_of(x))),
        )
        of = {id(each): ratios for each, ratios in zip(others, found, strict=True)}
        return [of.get(id(each), {}) for each in self._subjects]


def _as_sample(shape) -> str:
    """The shapes of inputs in words, if this is that of one sample."""
    return str(("batch", *shape)).replace("'", "")


def _joined(parts) -> Any:
    if parts[0] is None:
        return None
    return keras.tree.map_structure(lambda *each: np.concatenate(each), *parts)


def _are_alike(samples) -> bool:
    arrays = [x for x in keras.tree.flatten(samples) if x is not None]
    return bool(arrays) and all((x == x[:1]).all() for x in arrays)


def _sqnr(reference, outputs) -> float | None:
    """Of all outputs of a model together; `None` if they have other shapes."""
    pairs = keras.tree.flatten(reference), keras.tree.flatten(outputs)
    shapes = [[x.shape for x in side if x is not None] for side in pairs]
    if shapes[0] != shapes[1]:
        return None
    sums = [energies(*pair) for pair in zip(*pairs, strict=True)]
    return decibels(*np.sum(sums, axis=0))
