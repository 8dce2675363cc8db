"""The mean of the weights of several models."""

import keras

from perfkit import _check
from perfkit.graph.copying import copied
from perfkit.transfer import _weights


def average_weights(models, *, weights=None, model=None) -> keras.Model:
    """Return a model whose weights are the mean of those of several.

    Models that were fine-tuned from one start with other data, seeds or numbers, or
    checkpoints of one run, are often better together than each alone, at the cost of
    one. Models that were trained from different starts are not.

    Moving statistics of batch normalization are averaged too, which is not what the
    averaged model would have gathered: have `transfer.recalibrate_batch_norm` set them.
    Whole numbers and the state of random generators are the first model's. Means are
    taken in float64, one model after the other.

    Args:
        models: Models of one architecture, or paths of `.keras` and `.weights.h5`
            files; the latter are opened one at a time. They are told apart by number,
            names and shapes of their weights, in order.
        weights: How much each counts, numbers of at least 0, one a model; `None` for
            all alike. Their sum does not matter.
        model: A model to read `.weights.h5` files into a copy of, where the first of
            `models` is one; its own weights do not count.

    Returns:
        A new model of the class of the first one, or of `model`. It is not compiled.

    Raises:
        TypeError: If `model` is none.
        ValueError: If an argument is out of bounds, or weights differ in number, name
            or shape; the error says which.

    Example:
        >>> def of(value):
        ...     start = keras.initializers.Constant(value)
        ...     dense = keras.layers.Dense(1, kernel_initializer=start)
        ...     return keras.Sequential([keras.Input((1,)), dense])
        >>> soup = average_weights([of(1.0), of(3.0), of(8.0)], weights=[1, 1, 2])
        >>> float(soup.layers[0].kernel[0, 0])
        5.0

    Reference: Wortsman et al., Model Soups, 2022, arXiv 2203.05482; of one run,
        Izmailov et al., Averaging Weights Leads to Wider Optima, 2018, arXiv
        1803.05407.
    """
    owner = "average_weights"
    items = _weights.listed(owner, models)
    shares = [1.0] * len(items)
    if weights is not None:
        shares = _check.odds(owner, "weights", weights, len(items), "model")
    result = copied(owner, "models", _weights.architecture(owner, items, model))
    total, first = None, None
    for number, (item, share) in enumerate(zip(items, shares, strict=True)):
        values = _weights.opened(owner, number, item, result)
        first = values if first is None else first
        total = _weights.added(total, values, share)
    _weights.write(result, _weights.divided(total, sum(shares), first))
    return result
