"""How much each channel of a group matters, by all layers that make it."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.compress.shrinking._gates import gate_changes
from perfkit.graph.arrays import exact
from perfkit.graph.channels import Group, Reading
from perfkit.ops import importance

WEIGHTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "l1": importance.l1,
    "l2": importance.l2,
    "geometric_median": importance.geometric_median,
    "lamp": importance.lamp,
}
KINDS = (*WEIGHTS, "batch_norm", "taylor", "random")
_TO_COMPARE = {"lamp"}  # between layers, as they are

Scores = list[np.ndarray]


def scores(reading: Reading, groups, kind, *, data=None, loss=None, seed=0) -> Scores:
    """Return a score for each channel of each group; larger ones matter more.

    Each maker of a group gives its channels scores, which are divided by their mean and
    summed, so that no layer counts more because its weights are larger. "taylor" gives
    them to the channels of a group at once, and these are divided by their mean.

    Args:
        reading: The channels of the model.
        groups: Some of its groups.
        kind: One of `KINDS`, or a function from `(channels, weights)` to scores.
        data: Arrays `(x, y)` or batches of these, for "taylor".
        loss: A function of targets and outputs, for "taylor".
        seed: For "random".
    """
    if kind == "random":
        rng = np.random.default_rng(seed)
        return [rng.uniform(size=len(group.channels)) for group in groups]
    if kind == "batch_norm":
        return [_of_batch_norm(reading, group) for group in groups]
    if kind == "taylor":
        return _of_gates(reading, groups, data, loss)
    rule: Any = WEIGHTS.get(kind, kind)
    of_layer = {
        id(use.layer): rule(_rows(use)) for group in groups for use in group.makers
    }
    plain = kind in _TO_COMPARE
    return [_summed(reading, group, of_layer, plain) for group in groups]


def _summed(reading, group: Group, of_layer, plain):
    total = np.zeros(len(group.channels))
    for use in group.makers:
        made: Any = use.made
        values = np.asarray(of_layer[id(use.layer)], "float64")
        if values.shape != made.shape or not np.isfinite(values).all():
            expected = f"a finite score for each of {len(made)} channels of "
            _check.fail("shrink", "importance", expected + use.path, values)
        places = np.searchsorted(group.channels, reading.labels.roots(made))
        np.add.at(total, places, values if plain else _over_mean(values))
    return total / len(group.makers)


def _over_mean(values):
    mean = values.mean()
    return values / mean if mean > 0.0 else values


def _rows(use) -> np.ndarray:
    """The weights that make each channel of a layer, `(channels, weights)`."""
    (rows,) = [
        np.moveaxis(exact(weight), axis, 0)
        for weight in use.layer.weights
        for axis, labels in use.cuts.get(weight.name, {}).items()
        if labels is use.made and len(weight.shape) > 1
    ]
    return rows.reshape(len(rows), -1)


def _of_gates(reading, groups, data, loss):
    """Squares of how the loss changes with gates on channels, averaged over batches."""
    squares = [change**2 for change in gate_changes(reading, groups, data, loss)]
    mean = np.mean(squares, axis=0)
    return [_over_mean(mean[group.channels]) for group in groups]


def _of_batch_norm(reading, group):
    """The largest scale that batch normalization gives each channel."""
    found = np.full(len(group.channels), np.nan)
    for use in reading.uses.values():
        if isinstance(use.layer, keras.layers.BatchNormalization) and use.layer.scale:
            roots = reading.labels.roots(use.cuts["gamma"][0])
            mine = np.isin(roots, group.channels)
            places = np.searchsorted(group.channels, roots[mine])
            gamma = np.abs(exact(use.layer.gamma))[mine]
            np.fmax.at(found, places, gamma)
    if np.isnan(found).any():
        expected = "another one where channels go through no BatchNormalization with a "
        expected += f"scale: {', '.join(group.paths)}"
        _check.fail("shrink", "importance", expected, "batch_norm")
    return found
