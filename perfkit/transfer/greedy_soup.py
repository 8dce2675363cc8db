"""The mean of those models that are better together."""

from collections.abc import Callable
from typing import Any

import keras

from perfkit import _check
from perfkit.graph.copying import copied
from perfkit.transfer import _weights
from perfkit.transfer.soup import Soup, ranked


def greedy_soup(
    models, score: Callable[[Any], Any], *, model=None, verbose=True
) -> Soup:
    """Average the weights of those models whose mean is better for them.

    The models are taken by their own scores, the best one first, and each stays if the
    mean with it scores no less than without. So on the data of `score` the soup is no
    worse than the best model. These should not be the test data.

    Each is scored in the first model, or in `model`, whose weights are put back in the
    end: there is one program to compile, and `score` may use what it was compiled with.

    Args:
        models: See `average_weights`.
        score: Function of a model, which returns a number: the more the better. One
            that is no number counts as the worst.
        model: See `average_weights`.
        verbose: Whether to show a progress bar.

    Returns:
        The soup and what went in; printed, it is a table. Moving statistics of batch
        normalization are averaged: have `transfer.recalibrate_batch_norm` set them.

    Raises:
        TypeError: If `score` cannot be called, or `model` is no model.
        ValueError: See `average_weights`; or if no model has a score.

    Example:
        >>> def of(value):
        ...     start = keras.initializers.Constant(value)
        ...     dense = keras.layers.Dense(1, kernel_initializer=start)
        ...     return keras.Sequential([keras.Input((1,)), dense])
        >>> def nearness_to_four(model):
        ...     return -abs(float(model.layers[0].kernel[0, 0]) - 4.0)
        >>> models = [of(9.0), of(3.0), of(6.0)]
        >>> print(greedy_soup(models, nearness_to_four, verbose=False))
        2 of 3 models, score -0.5; the best alone -1
          model      alone       with  in
              1         -1         -1  yes
              2         -2       -0.5  yes
              0         -5         -2  no

    Reference: Wortsman et al., Model Soups, 2022, arXiv 2203.05482, recipe 1.
    """
    owner = "greedy_soup"
    items = _weights.listed(owner, models)
    if not callable(score):
        _check.fail(owner, "score", "a function of a model", score, TypeError)
    vessel = _weights.architecture(owner, items, model, compile=True)
    result = copied(owner, "models", vessel)
    own = _weights.read(vessel)
    bar = keras.utils.Progbar(2 * len(items), verbose=int(verbose), unit_name="model")

    def scored(values):
        _weights.write(vessel, values)
        found = score(vessel)
        try:
            found = float(found)
        except (TypeError, ValueError):
            expected = "a function that returns one number, of which more is better"
            _check.fail(owner, "score", expected, found, TypeError)
        bar.add(1)
        return found if found == found else -float("inf")

    def weights_of(number):
        if items[number] is vessel:
            return own
        return _weights.opened(owner, number, items[number], result)

    try:
        scores = [scored(weights_of(number)) for number in range(len(items))]
        if max(scores) == -float("inf"):
            _check.fail(owner, "score", "a number for some of the models", scores)
        total, members, best, tried = None, [], -float("inf"), {}
        for number in ranked(scores):
            values = weights_of(number)
            more = _weights.added(total, values, 1.0)
            mean = _weights.divided(more, len(members) + 1, own)
            tried[number] = scored(mean)
            if tried[number] >= best:
                total, best = more, tried[number]
                members.append(number)
    finally:
        _weights.write(vessel, own)
    _weights.write(result, _weights.divided(total, len(members), own))
    in_order = tuple(tried[number] for number in range(len(items)))
    return Soup(result, tuple(members), best, tuple(scores), in_order)
