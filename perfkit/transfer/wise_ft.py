"""Weights between those before fine-tuning and those after it."""

import keras
import numpy as np

from perfkit import _check
from perfkit.graph.copying import copied
from perfkit.graph.owners import owners
from perfkit.transfer import _weights


def wise_ft(before, after, share=0.5) -> keras.Model:
    """Return a model between the one before fine-tuning and the one after it.

    Each weight is `(1 - share) * before + share * after`. On data like those of the
    new task half-way is often as good as the end, and on others, that the start was
    good at, much better. Try several shares: it costs no training.

    Moving statistics of batch normalization are interpolated too: have
    `transfer.recalibrate_batch_norm` set them. Whole numbers and the state of random
    generators are those of `after`.

    Args:
        before: The weights that `model.get_weights()` returned before fine-tuning, once
            a new head was trained; or a model. Of a model of another architecture,
            such as one with another head or none, those layers count that have the
            names of layers of `after`; the weights of all others stay.
        after: The fine-tuned `keras.Model`.
        share: Share of `after`. Within [0, 1].

    Returns:
        A new model of the class of `after`. It is not compiled.

    Raises:
        TypeError: If `before` or `after` is neither.
        ValueError: If `share` is out of bounds, a model has adapters, or the weights do
            not fit; the error says which.

    Example:
        >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        >>> model.set_weights([np.array([[2.0]]), np.array([0.0])])
        >>> before = model.get_weights()
        >>> model.set_weights([np.array([[4.0]]), np.array([1.0])])  # fine-tuning
        >>> [float(w.sum()) for w in wise_ft(before, model, 0.25).get_weights()]
        [2.5, 0.25]

    Reference: Wortsman et al., Robust fine-tuning of zero-shot models, 2021, arXiv
        2109.01903.
    """
    owner = "wise_ft"
    _check.instance(owner, "after", after, keras.Model)
    _check.instance(owner, "before", before, (keras.Model, list, tuple))
    share = _check.unit(owner, "share", share)
    _weights.check_plain(owner, "after", after)
    if isinstance(before, keras.Model):
        _weights.check_plain(owner, "before", before)
    result = copied(owner, "after", after)
    ends = _weights.read(after)
    if isinstance(before, keras.Model):
        starts = _shared(owner, before, after)
    else:
        starts = _fitting(owner, before, after, ends)
    both = [k for k, start in enumerate(starts) if start is not None]
    total = _weights.added(None, [starts[k] for k in both], 1.0 - share)
    total = _weights.added(total, [ends[k] for k in both], share)
    between = _weights.divided(total, 1.0, [ends[k] for k in both])
    for place, value in zip(both, between, strict=True):
        ends[place] = value
    _weights.write(result, ends)
    return result


def _fitting(owner, arrays, after, ends):
    """The arrays of a snapshot, one for each weight."""
    arrays = [np.asarray(array) for array in arrays]
    if len(arrays) != len(ends):
        expected = f"as many arrays as `after` has weights, {len(ends)}"
        _check.fail(owner, "before", expected, len(arrays))
    for place, (array, end) in enumerate(zip(arrays, ends, strict=True)):
        if array.shape != end.shape:
            path = after.weights[place].path
            expected = f"arrays of the weights' shapes: number {place} is {path} of "
            expected += f"shape {end.shape}"
            _check.fail(owner, "before", expected, array)
    return [array.astype(end.dtype) for array, end in zip(arrays, ends, strict=True)]


def _shared(owner, before, after):
    """The weight of `before` for each of `after`, or `None` where it has none."""
    if not _weights.unlike(before, after):
        return _weights.read(before)
    starts, ends = _by_layer(before), _by_layer(after)
    both = [name for name in ends if name in starts]
    if not both:
        expected = "a model with some of the layers of `after`, of the same names"
        _check.fail(owner, "before", expected, before)
    found = {}
    for name in both:
        if len(starts[name]) + len(ends[name]) > 2:
            expected = f"a model whose layers' names tell which weight is {name}"
            _check.fail(owner, "before", expected, before)
        ((start,), (end,)) = starts[name], ends[name]
        if tuple(start.shape) != tuple(end.shape):
            expected = f"a model where {name}, of shape {tuple(end.shape)} in `after`, "
            expected += "has that shape or another name"
            _check.fail(owner, "before", expected, tuple(start.shape))
        found[id(end)] = np.array(keras.ops.convert_to_numpy(start))
    return [found.get(id(end)) for end in after.weights]


def _by_layer(model):
    """Weights by the names of their layers, whatever models are around these."""
    found = {}
    for each in owners(model):
        layers = [layer for layer in each.trail if not isinstance(layer, keras.Model)]
        for weight in each.weights:
            name = "/".join([*(layer.name for layer in layers), weight.name])
            found.setdefault(name, []).append(weight)
    return found
