"""How the loss changes if channels are turned down."""

from collections.abc import Iterator

import keras
import numpy as np

from perfkit import _check
from perfkit.compress import _calibration, _samples
from perfkit.graph.arrays import exact
from perfkit.graph.channels import Reading
from perfkit.graph.gradients import loss_gradients

_SIZE = 32  # of a batch: the more samples, the more of their changes cancel out


def gate_changes(reading: Reading, groups, data, loss=None) -> Iterator[np.ndarray]:
    """Yield for each batch the derivatives of the loss by a gate on each channel.

    A gate is a factor of 1 on a channel in front of each layer that sums it up with
    others. It turns off what `shrink` takes out, at 0, whatever is in between:
    batch normalization, a depthwise convolution, a sum, `Flatten`. The derivative is
    the sum of weight times gradient over the weights that these layers have for it.

    Args:
        reading: The channels of a model.
        groups: The groups whose channels are meant.
        data: Arrays `(x, y)` or batches of these.
        loss: A function of targets and outputs, or None for what the model was compiled
            with.

    Yields:
        An array by the roots of labels; zeros for channels that are not meant.
    """
    meant = np.concatenate([group.channels for group in groups])
    taking = list(_taking(reading, meant))
    model = reading.graph.model
    gradients = loss_gradients(model, [weight for weight, _, _ in taking], loss)
    values = [exact(weight) for weight, _, _ in taking]
    for x, y in _samples.read(data, "shrink", _SIZE):
        _check_pair(model, x, y)
        change = np.zeros(len(reading.labels))
        for (_, axis, roots), value, slope in zip(
            taking, values, gradients(x, y), strict=True
        ):
            others = tuple(k for k in range(value.ndim) if k != axis % value.ndim)
            np.add.at(change, roots, (value * slope).sum(axis=others))
        yield change


def _taking(reading, meant):
    """Weights that sum up some of these channels, the axis of them, their roots."""
    for use in reading.uses.values():
        if use.taken is not None:
            name, axis = use.taken
            roots = reading.labels.roots(use.cuts[name][axis])
            if np.isin(roots, meant).any():
                (weight,) = [w for w in use.layer.weights if w.name == name]
                yield weight, axis, roots


def _check_pair(model, x, y):
    if y is None:
        expected = "(x, y), arrays or batches of these, for taylor"
        _check.fail("shrink", "data", expected, x, TypeError)
    given = keras.tree.flatten(x)
    if len(model.inputs) == len(given) == 1:  # of several, Keras finds which is which
        shape, found = model.inputs[0].shape[1:], given[0].shape[1:]
        if not _fits(found, shape):
            expected = f"inputs of shape {('batch', *shape)}, as the model takes them; "
            expected += "of a data set of single samples call .batch()"
            _check.fail("shrink", "data", expected.replace("'", ""), given[0])


def _fits(found, shape) -> bool:
    """Whether sizes are those of a shape, up to a last 1 that Keras adds or drops."""
    wider = [found, (*found, 1), found[:-1] if found[-1:] == (1,) else found]
    return any(_calibration.fits(sizes, shape) for sizes in wider)
