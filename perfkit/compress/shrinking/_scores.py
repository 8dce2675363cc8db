"""How much each channel of a group matters, by all layers that make it."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.arrays import exact
from perfkit.graph.batch_norm import batches
from perfkit.graph.channels import Group, Reading
from perfkit.graph.gradients import loss_gradients
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
    summed, so that no layer counts more because its weights are larger.

    Args:
        reading: The channels of the model.
        groups: Some of its groups.
        kind: One of `KINDS`, or a function from `(channels, weights)` to scores.
        data: Batches `(x, y)`, for "taylor".
        loss: A function of targets and outputs, for "taylor".
        seed: For "random".
    """
    if kind == "random":
        rng = np.random.default_rng(seed)
        return [rng.uniform(size=len(group.channels)) for group in groups]
    if kind == "batch_norm":
        return [_of_batch_norm(reading, group) for group in groups]
    if kind == "taylor":
        of_layer = _taylor(reading, groups, data, loss)
    else:
        rule: Any = WEIGHTS.get(kind, kind)
        of_layer = {
            id(use.layer): rule(_rows(use, use.layer.weights))
            for group in groups
            for use in group.makers
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
        mean = values.mean()
        scale = 1.0 if plain else mean if mean > 0.0 else 1.0
        places = np.searchsorted(group.channels, reading.labels.roots(made))
        np.add.at(total, places, values / scale)
    return total / len(group.makers)


def _rows(use, values) -> np.ndarray:
    """The weights that make each channel of a layer, `(channels, weights)`."""
    names = [weight.name for weight in use.layer.weights]
    (rows,) = [
        np.moveaxis(exact(value), axis, 0)
        for name, value in zip(names, values, strict=True)
        for axis, labels in use.cuts.get(name, {}).items()
        if labels is use.made and len(value.shape) > 1
    ]
    return rows.reshape(len(rows), -1)


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


def _taylor(reading, groups, data, loss) -> dict[int, np.ndarray]:
    """Squares of how much the loss would change without a channel, to first order."""
    uses = [use for group in groups for use in group.makers]
    kernels: list[Any] = []
    for use in uses:
        names = {
            n
            for n, axes in use.cuts.items()
            for ids in axes.values()
            if ids is use.made
        }
        kernels += [
            w for w in use.layer.weights if w.name in names and len(w.shape) > 1
        ]
    gradients = loss_gradients(reading.graph.model, kernels, loss)
    total = [np.zeros(len(use.made)) for use in uses]
    seen = 0
    for batch in batches(data):
        if not isinstance(batch, (tuple, list)) or len(batch) < 2:
            _check.fail("shrink", "data", "batches (x, y) for taylor", batch, TypeError)
        found = gradients(batch[0], batch[1])
        for place, (use, kernel, gradient) in enumerate(
            zip(uses, kernels, found, strict=True)
        ):
            product = exact(kernel) * gradient
            values = [product if w is kernel else w for w in use.layer.weights]
            total[place] += _rows(use, values).sum(axis=1) ** 2
        seen += 1
    if not seen:
        _check.fail("shrink", "data", "at least one batch", data)
    return {id(use.layer): value for use, value in zip(uses, total, strict=True)}
