"""Put early weights back under the masks of now."""

import keras
import numpy as np

from perfkit import _check
from perfkit.compress.sparsity import _masked
from perfkit.compress.sparsity.prune_report import PruneReport, report_of
from perfkit.compress.sparsity.rewind_point import RewindPoint
from perfkit.ops.sparsity import zeroed


def rewind(model, weights) -> PruneReport:
    """Give a pruned model its early weights back, where it is not pruned.

    Then it is a lottery ticket: training has found out which weights stay, and they
    have the values of early training. Compile the model anew, since the optimizer
    remembers the training before, and train it from there; its zeros stay. To get by
    with still fewer weights, repeat it: prune some more, rewind, train.

    Args:
        model: A built `keras.Model` that was pruned and whose masks are on it.
        weights: A `RewindPoint`, or what `model.get_weights()` returned then. All
            weights are put back, biases and moving statistics too.

    Returns:
        A `PruneReport` of the kernels with masks.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model has no masks, or `weights` are not those of this model.
            Nothing is changed.

    Example:
        >>> from perfkit.compress import prune
        >>> dense = keras.layers.Dense(1, use_bias=False)
        >>> model = keras.Sequential([keras.Input((2,)), dense])
        >>> _ = dense.kernel.assign([[3.0], [4.0]])
        >>> early = model.get_weights()
        >>> _ = dense.kernel.assign([[9.0], [1.0]])  # it learns
        >>> report = prune(model, 0.5)
        >>> report = rewind(model, early)
        >>> [float(weight) for weight in dense.kernel[:, 0]]
        [3.0, 0.0]

    Reference: Frankle and Carbin, The Lottery Ticket Hypothesis, 2019, arXiv
        1803.03635; from a step of early training, Frankle et al., 2020, arXiv
        1912.05671.
    """
    _check.instance("rewind", "model", model, keras.Model)
    held = _masked.held_in(model)
    if not held:
        expected = "pruned, with masks; `hold_zeros` makes them of the zeros of a model"
        _check.fail("rewind", "model", expected, model)
    values = _values(model, weights)
    masks = {id(one.variable): _masked.mask_of(one.variable) for one in held}
    for variable, value in zip(model.weights, values, strict=True):
        mask = masks.get(id(variable))
        if mask is not None:
            value = zeroed(value, mask)
        variable.assign(value)
    return report_of(held)


def _values(model, weights):
    if isinstance(weights, RewindPoint):
        if weights.at is None:
            expected = "a `RewindPoint` that was given to `fit` and came to its step"
            _check.fail("rewind", "weights", expected, weights)
        values = [weights.value_of(variable) for variable in model.weights]
    else:
        _check.instance("rewind", "weights", weights, (list, tuple, RewindPoint))
        values = [np.asarray(value) for value in weights]
    shapes = [None if value is None else value.shape for value in values]
    if shapes != [tuple(variable.shape) for variable in model.weights]:
        expected = "the weights of this model at another time, of the same shapes"
        _check.fail("rewind", "weights", expected, shapes)
    return values
