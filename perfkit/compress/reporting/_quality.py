"""How good outputs are."""

from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.compress.reporting import OWNER


def quality(outputs, labels, metric) -> tuple[float | None, str]:
    """Return the value of a metric, by default accuracy, and a note or "".

    Args:
        outputs: Outputs of a model for all samples.
        labels: Labels of all samples.
        metric: Function of labels and outputs, or `None`.
    """
    if metric is not None:
        found: Any = keras.ops.convert_to_numpy(metric(labels, outputs))
        return float(np.mean(found)), ""
    if keras.tree.is_nested(outputs) or keras.tree.is_nested(labels):
        return None, "no accuracy of several outputs; give metric="
    classes = outputs.shape[-1] if outputs.ndim > 1 else 1
    known = _classes(labels, outputs.shape)
    if classes < 2 or known is None:
        shapes = f"labels of shape {labels.shape} and outputs of shape {outputs.shape}"
        return None, f"no accuracy of {shapes}; give metric="
    if known.min() < 0 or known.max() >= classes:
        expected = (
            f"of labels within [0, {classes - 1}], as there are {classes} outputs"
        )
        got = sorted({int(known.min()), int(known.max())})
        _check.fail(OWNER, "data", expected, got)
    return float(np.mean(outputs.argmax(-1) == known)), ""


def _classes(labels, shape):
    """Labels as numbers of classes, if they are any."""
    if labels.dtype.kind not in "fiub":
        return None
    if labels.shape == shape:
        of_one = np.isin(labels, (0, 1)).all() and (labels.sum(axis=-1) == 1).all()
        return labels.argmax(-1) if of_one else None
    if labels.shape == (*shape[:-1], 1):
        labels = labels[..., 0]
    if labels.shape != shape[:-1] or (labels != np.round(labels)).any():
        return None
    return labels
