"""Put stochastic depth into a model that is already built."""

import keras

from perfkit import _check
from perfkit.graph import calls, droppers, insertion, kernels, residuals, selection
from perfkit.regularizers import _inserting
from perfkit.regularizers._inserting import Site
from perfkit.regularizers.inserted import Inserted


def attach_drop_path(
    model, rate, *, where=None, layer=None
) -> tuple[keras.Model, Inserted]:
    """Put stochastic depth on the residual branches of a built model.

    While training, each sample goes without the branch with the probability `rate`. The
    new layer lies at the end of the branch, before the sum: on that one of its inputs
    which is not the identity. The identity is the one that the others are made from, or
    else, where it has a projection of its own, the one with the fewest kernels that the
    others do not share. Sums of two branches of as many kernels each, or of a branch
    without kernels, as of positions, are left alone. Sums of feature pyramids look like
    those of residual blocks: read the report, and choose with `where`.

    The layers, and so the weights, are those of `model`, which stays as it is. The new
    model is a plain Functional one, which has to be compiled; see `attach_dropout`.

    Args:
        model: A built Functional or Sequential `keras.Model`.
        rate: Probability that a sample goes without a branch. Within [0, 1). A pair is
            `(first, last)`, and what is between them changes in equal steps from sum to
            sum: `(0.0, 0.1)` is what most do. A single sum has the last.
        where: Which sums, `keras.layers.Add` or `+`; None for all. See `attach`, but
            for functions, which are asked about `Add` layers, and slices, which have no
            meaning here.
        layer: What makes a new layer from its rate, such as `perfkit.layers.DropPath`
            or `perfkit.layers.StochasticDepth`. None for Keras's `Dropout` of one draw
            for each sample, which does the same as the former.

    Returns:
        The new model, and an `Inserted`, which says what was put where.

    Raises:
        ValueError: If the model is subclassed or not built, an argument is out of
            bounds, or there is no residual branch to put it on.
        TypeError: If an argument has the wrong type.

    Example:
        >>> inputs = keras.Input((4,))
        >>> branch = keras.layers.Dense(4, name="branch")(inputs)
        >>> outputs = keras.layers.Add(name="sum")([inputs, branch])
        >>> _, report = attach_drop_path(keras.Model(inputs, outputs), 0.1)
        >>> print(report)
        1 layer in a new model; compile it before `fit`
          Dropout(0.1) at sum

    Reference: Huang et al., Deep Networks with Stochastic Depth, 2016, arXiv
        1603.09382, which drops for a batch; Larsson et al., FractalNet, 2016, arXiv
        1605.07648.
    """
    graph = calls.read("attach_drop_path", model, insertion.BY_HAND)
    if any(isinstance(choice, slice) for choice in selection.choices(where)):
        expected = "no slice of the depth, which sums do not have; give `rate` a pair"
        _check.fail("attach_drop_path", "where", expected, where)
    kind = "the sums, `keras.layers.Add` or `+`"
    chosen = insertion.chosen("attach_drop_path", graph, where, _selects, kind)
    numbers = kernels.numbers(model)
    sites, skipped = [], {}
    for trail, inner, call in chosen:
        path = insertion.path_of(trail)
        branches = residuals.branches(inner, call, numbers)
        made = inner.producers()
        for tensor in branches:
            before, same = [made[id(tensor)]], droppers.drops_samples
            if name := droppers.already(before, call.operation.name, same):
                skipped[path] = f"follows {name}"
                continue
            shape = (None,) + (1,) * (len(tensor.shape) - 1)

            def usual(rate, shape=shape):
                return keras.layers.Dropout(rate, noise_shape=shape)

            sites.append(Site(path, inner, call, tensor, False, usual))
        if not branches:
            skipped[path] = "no residual branch"
    return _inserting.insert(
        "attach_drop_path", graph, sites, skipped, rate, layer, where
    )


def _selects(choice, trail) -> bool:
    if not residuals.is_sum(trail[-1]):
        return False
    return choice is None or selection.selects(choice, trail, None)
