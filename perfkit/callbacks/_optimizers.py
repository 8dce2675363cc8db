"""The optimizers that do the steps of a model, inside their wrappers."""

from typing import Any

import keras

from perfkit import _check


def innermost(owner, model) -> list:
    """Optimizers without another one inside, in order; an error if there are none."""
    found = list(_within(model.optimizer))
    if not found or not all(isinstance(x, keras.optimizers.Optimizer) for x in found):
        expected = "that of a model with a Keras optimizer"
        _check.fail(owner, "model", expected, model.optimizer, TypeError)
    return found


def _within(optimizer):
    if hasattr(optimizer, "inner_optimizer"):
        yield from _within(optimizer.inner_optimizer)
    elif hasattr(optimizer, "optimizers"):
        for each in optimizer.optimizers:
            yield from _within(each)
    else:
        yield optimizer


def steps_of(optimizer):
    """The count that an optimizer's learning-rate schedule goes by, a variable.

    `iterations` is another one where gradients are accumulated.
    """
    return next(v for v in optimizer.variables if v.name == "iteration")


def number(x) -> float:
    """A tensor of one number as that number."""
    value: Any = keras.ops.convert_to_numpy(x)
    return float(value)


def named(key, optimizer, optimizers) -> str:
    """A name for the logs, the optimizer's own added where there are several."""
    return key if len(optimizers) == 1 else f"{key}_{optimizer.name}"
