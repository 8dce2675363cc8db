"""A lower learning rate for each earlier part of a model."""

import keras

from perfkit import _check
from perfkit.optimizers import LayerwiseRates
from perfkit.transfer import _stages


def discriminative_rates(model, optimizer, *, stages=4, ratio=2.6) -> LayerwiseRates:
    """Have each stage of a model learn more slowly than the one behind it.

    The head learns at the rate of the optimizer, the stage before it at that divided by
    `ratio`, and so on. `GradualUnfreeze` does the same while it opens the stages.

    Args:
        model: A built `keras.Model`.
        optimizer: An optimizer or its Keras name.
        stages: How many, at least 2: the head, which begins at the layer of the model
            that is named `head` or else is the last one with weights, and so many less
            one of about as many layers each, of those that can learn. Or a list of what
            begins each stage but the first, in the order of the model: names, paths and
            others that `where` of `regularizers.attach` takes.
        ratio: By how much the rate falls from stage to stage, at least 1.

    Returns:
        A `perfkit.optimizers.LayerwiseRates` around the optimizer, built for this
        model, to be given to `compile`. Its `multipliers` show the factors.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of bounds, or a stage selects nothing.

    Example:
        >>> layers = [keras.layers.Dense(2, name=name) for name in ("a", "b", "head")]
        >>> model = keras.Sequential([keras.Input((3,)), *layers], name="net")
        >>> optimizer = discriminative_rates(model, "adam", stages=3, ratio=2.0)
        >>> for path, factor in optimizer.multipliers.items():
        ...     print(path, factor)
        net/a/kernel 0.25
        net/a/bias 0.25
        net/b/kernel 0.5
        net/b/bias 0.5
        net/head/kernel 1.0
        net/head/bias 1.0

    Reference: Howard and Ruder, Universal Language Model Fine-tuning for Text
        Classification, 2018, arXiv 1801.06146. Their stages are single layers.
    """
    owner = "discriminative_rates"
    _check.instance(owner, "model", model, keras.Model)
    ratio = _check.number(owner, "ratio", ratio, 1.0)
    found = _stages.stages(owner, model, stages)
    rates = LayerwiseRates(optimizer, {"*": 1.0})
    rates.build(model.trainable_variables)
    rates.set_each(
        (variable, ratio ** (place - len(found) + 1))
        for place, stage in enumerate(found)
        for variable in stage.variables
    )
    return rates
