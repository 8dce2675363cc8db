"""Set the least important weights of a model to zero, at once."""

from typing import Any

import numpy as np

from perfkit import _check
from perfkit._backend import seen
from perfkit.compress.sparsity import _masked, _scoring
from perfkit.compress.sparsity._choosing import chosen
from perfkit.compress.sparsity.pattern import checked, checked_sparsity
from perfkit.compress.sparsity.prune_report import PruneReport, report_of
from perfkit.graph.arrays import array


def prune(
    model,
    sparsity=None,
    *,
    where=None,
    pattern: Any = "unstructured",
    criterion: Any = "magnitude",
    scope="local",
    strict=True,
) -> PruneReport:
    """Set the least important weights of a model to zero, in place.

    The zeros stay while the model is trained further, whatever it is compiled with and
    also inside another model: a constraint on each kernel puts them back after each
    update. `strip_pruning` takes it off. New models that `quantize`, `shrink` and their
    kin make have it too. A file or a clone of the model has the zeros, but not this
    constraint: call `hold_zeros` on it. If this model is inside another one that has
    trained already, compile that one again. Optimizers with `use_ema=True` put averages
    over the zeros when `fit` ends; `hold_zeros` puts them back.

    Zeros make a file smaller once it is compressed, and so a download. They do not make
    a model faster on x86: no runtime for it skips them. `Pruning` prunes step by step
    during `fit`, which costs less accuracy.

    Args:
        model: A built `keras.Model`: Sequential, Functional, nested, subclassed.
        sparsity: Share of zeros. Within [0, 1). None is `1 - n / m` for `NofM` and 0.5
            for other patterns. It is exact, also where weights are equal: of `size`
            weights, `max(round(size * (1 - sparsity)), 1)` stay. With `Block` these are
            blocks.
        where: Which layers: a name pattern, a layer, its class, a slice of the depth
            from 0 to 1, a function of the layer, or a list of these. None is all
            kernels but those of embeddings and of depthwise convolutions, which are
            small and whose weights matter more, and those that the pattern does not
            fit, such as "2:4" of one input channel; the report names them.
        pattern: `"unstructured"`, `"2:4"` or the like, or an object: `Unstructured()`,
            `NofM(2, 4)`, `Block((4, 1))`.
        criterion: `"magnitude"`, or a function of a kernel, a `keras.Variable`, that
            returns an array of its shape: larger scores are more important.
        scope: `"local"`: each kernel gets this sparsity. `"global"`: all kernels
            together get it, and each keeps at least one weight.
        strict: Whether it is an error if something that `where` selects cannot be
            pruned. Otherwise the report names it.

    Returns:
        A `PruneReport`: zeros of each kernel, and what was left out and why.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, or a selected layer cannot be
            pruned, or a kernel has NaN or infinity. Nothing is changed.

    Example:
        >>> import keras
        >>> dense = keras.layers.Dense(1, use_bias=False, name="dense")
        >>> model = keras.Sequential([keras.Input((4,)), dense])
        >>> _ = dense.kernel.assign([[4.0], [-1.0], [2.0], [-3.0]])
        >>> print(prune(model, 0.5))
        50.00% of 4 weights are 0, in 1 kernel
          dense/kernel    50.00% of 4
        >>> [float(weight) for weight in dense.kernel[:, 0]]
        [4.0, 0.0, 0.0, -3.0]

    Reference: Han et al., Learning both Weights and Connections, 2015, arXiv
        1506.02626, one step of it.
    """
    pattern = checked("prune", pattern)
    sparsity = checked_sparsity("prune", sparsity, pattern)
    _scoring.checked_scope("prune", scope, pattern)
    if criterion != "magnitude" and not callable(criterion):
        expected = "'magnitude', or a function of a kernel"
        _check.fail("prune", "criterion", expected, criterion)
    kernels, left_out = chosen("prune", model, where, strict=strict, pattern=pattern)
    scores = [_scores(criterion, pattern, kernel) for kernel in kernels]
    masks = _scoring.masks(kernels, scores, sparsity, pattern, scope)
    for kernel, mask in zip(kernels, masks, strict=True):
        _masked.hold(kernel.variable, mask)
    _masked.notice(model)
    return report_of(kernels, left_out)


def _scores(criterion, pattern, kernel):
    value = seen(kernel.variable)
    if not np.isfinite(value.astype("float32")).all():
        expected = f"free of NaN and infinity, unlike `{kernel.path}`"
        _check.fail("prune", "model", expected, value)
    if criterion == "magnitude":
        return pattern.magnitudes(value)
    scores = array(criterion(kernel.variable)).astype("float64")
    if scores.shape != value.shape or not np.isfinite(scores).all():
        expected = f"a function that returns {value.shape} finite scores for "
        _check.fail("prune", "criterion", f"{expected}`{kernel.path}`", scores)
    return scores
