"""Put stochastic depth into a model that is already built."""

from collections.abc import Callable
from numbers import Real
from typing import Any

import keras

from perfkit import _check
from perfkit.graph import droppers, insertion, residuals, selection
from perfkit.surgery import _making
from perfkit.surgery._operating import Operating, beside
from perfkit.surgery.changed import Change, Changed


def stochastic_depth(
    model, rate=(0.0, 0.1), *, where=None, layer=None
) -> tuple[keras.Model, Changed]:
    """Put stochastic depth at the ends of the residual branches of a built model.

    While training, each sample goes without the branch with the probability `rate`; at
    inference nothing changes. It lies where
    `perfkit.regularizers.attach_drop_path` puts it, which gives a model that shares its
    layers with the old one, while this one is a model of its own.

    Args:
        model: A built Functional or Sequential `keras.Model`, which stays as it is.
        rate: Probability that a sample goes without a branch. Within [0, 1). A pair is
            `(first, last)`, with equal steps between, from sum to sum. A single sum
            has the last.
        where: Which sums, `keras.layers.Add` or `+`: a name pattern, a layer or model,
            a class, a function of a layer, or a list of these. None for all.
        layer: What makes a new layer from its rate, such as `perfkit.layers.DropPath`;
            None for Keras's `Dropout` of one draw for each sample.

    Returns:
        The new model, to be compiled, and a `Changed`.

    Raises:
        ValueError: If the model is subclassed or not built, an argument is out of
            bounds, or no residual branch is left, as all have it already.
        TypeError: If an argument has the wrong type.

    Example:
        >>> inputs = keras.Input((4,))
        >>> branch = keras.layers.Dense(4, name="branch")(inputs)
        >>> outputs = keras.layers.Add(name="sum")([inputs, branch])
        >>> new, changed = stochastic_depth(keras.Model(inputs, outputs), 0.1)
        >>> print(changed)
        1 change in a new model with the same predictions and +0 parameters; compile it
        before `fit`
          Dropout(0.1) at sum

    Reference: Huang et al., Deep Networks with Stochastic Depth, 2016, arXiv
        1603.09382, which drops for a batch.
    """
    first, last = _rates(rate)
    operating = Operating("stochastic_depth", model)
    if any(isinstance(choice, slice) for choice in selection.choices(where)):
        expected = "no slice of the depth, which sums do not have; give `rate` a pair"
        _check.fail("stochastic_depth", "where", expected, where)
    kind = "the sums, `keras.layers.Add` or `+`"
    chosen = insertion.chosen(
        "stochastic_depth", operating.graph, where, _selects, kind
    )
    sites = [
        (insertion.path_of(trail), inner, call, tensor)
        for trail, inner, call in chosen
        for tensor in _branches(operating, trail, inner, call)
    ]
    for number, (path, inner, call, tensor) in enumerate(sites):
        share = number / (len(sites) - 1) if len(sites) > 1 else 1.0
        value = first + (last - first) * share
        make: Any = layer or _dropout(len(tensor.shape))
        new = _making.made("stochastic_depth", "layer", make, {}, value)
        new.name = operating.name(inner, f"{call.operation.name}_drop_path")
        new.dtype_policy = keras.DTypePolicy(tensor.dtype)
        operating.insert(new, call, tensor)
        what = f"{type(new).__name__}({value:.4g})"
        change = Change(path, beside(path, new.name), None, what, 0, identity=True)
        operating.report(lambda change=change: change)
    return operating.finish("where", where)


def _branches(operating, trail, graph, call) -> list[Any]:
    """The branches that have none yet."""
    path, made = insertion.path_of(trail), graph.producers()
    found = residuals.branches(graph, call, operating.numbers)
    if not found:
        operating.skipped[path] = "no residual branch"
    left = []
    for tensor in found:
        before = [made[id(tensor)]]
        name = droppers.already(before, call.operation.name, droppers.drops_samples)
        if name:
            operating.skipped[path] = f"follows {name}, which drops samples already"
        else:
            left.append(tensor)
    return left


def _selects(choice, trail) -> bool:
    if not residuals.is_sum(trail[-1]):
        return False
    return choice is None or selection.selects(choice, trail, None)


def _dropout(rank) -> Callable[[float], keras.Layer]:
    shape = (None,) + (1,) * (rank - 1)
    return lambda rate: keras.layers.Dropout(rate, noise_shape=shape)


def _rates(rate) -> tuple[float, float]:
    ends = rate if isinstance(rate, (list, tuple)) else (rate, rate)
    bounded = all(
        isinstance(end, Real) and not isinstance(end, bool) and 0.0 <= float(end) < 1.0
        for end in ends
    )
    if len(ends) != 2 or not bounded:
        expected = "a number or a pair (first, last) within [0, 1)"
        _check.fail("stochastic_depth", "rate", expected, rate)
    return float(ends[0]), float(ends[1])
