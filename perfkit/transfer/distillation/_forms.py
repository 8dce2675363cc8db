"""In what form models predict: logits, or probabilities that they end in."""

from collections.abc import Callable
from typing import Any

import keras

from perfkit.graph.endings import last_activations, output_shapes
from perfkit.ops import distillation
from perfkit.transfer.distillation.average_teacher import AverageTeacher

_FORMS = {"linear": "logits", "softmax": "probabilities", "sigmoid": "probabilities"}


def form(model) -> str | None:
    """Return `"logits"` or `"probabilities"`, or None where nobody can tell."""
    return _FORMS.get(_end(model) or "")


def conversion(teacher, student) -> Callable[[Any], Any] | None:
    """Return what brings predictions of a teacher to the form of a student's.

    None where there is no such function: they predict something else, or it cannot be
    told.
    """
    theirs, ours = output_shapes(teacher), output_shapes(student)
    if theirs and ours and theirs != ours:
        return None
    one, other = _end(teacher) or "", _end(student) or ""
    if one == other and (one or type(teacher) is type(student)):
        return lambda predictions: predictions
    convert = _CONVERSIONS.get((one, other))
    if convert is None:
        return None
    return lambda predictions: keras.tree.map_structure(convert, predictions)


_CONVERSIONS = {
    ("linear", "softmax"): keras.ops.softmax,
    ("linear", "sigmoid"): keras.ops.sigmoid,
    ("softmax", "linear"): lambda x: distillation.as_logits(x, "probabilities"),
    ("sigmoid", "linear"): lambda x: distillation.as_logits_of_labels(
        x, "probabilities"
    ),
}


def _end(model) -> str | None:
    """What a model does to all of its outputs at the end, if that can be told."""
    ends = {"linear"} if isinstance(model, AverageTeacher) else last_activations(model)
    return ends.pop() if len(ends) == 1 else None
