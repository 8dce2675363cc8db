"""A second model like one that is there."""

import keras
import numpy as np

from perfkit import _check
from perfkit.graph import adapted


def copied(owner: str, name: str, model) -> keras.Model:
    """Return a copy of a built model with its values, which is not compiled.

    It is of the same class; a class with a `call` of its own needs a `get_config` for
    that. Moving statistics, the states of random numbers and what layers adapted to are
    copied too, so that both models go on alike. The optimizer is not copied.

    Args:
        owner: Name of the caller, for errors.
        name: Name of its argument, for errors.
        model: A built `keras.Model`.
    """
    _check.built(owner, name, model)
    compiled = model.compiled
    model.compiled = False  # else Keras compiles the copy, and builds an optimizer
    try:
        copy = keras.models.clone_model(model)
    finally:
        model.compiled = compiled
    ours = [tuple(variable.shape) for variable in copy.variables]
    theirs = [tuple(variable.shape) for variable in model.variables]
    if ours != theirs:
        expected = "a model that `keras.models.clone_model` makes a whole copy of"
        _check.fail(owner, name, expected, model)
    for variable, value in zip(copy.variables, model.variables, strict=True):
        # On JAX an array would be shared, and is gone once one of both was fitted.
        variable.assign(np.array(keras.ops.convert_to_numpy(value)))
    adapted.carry(copy, model)
    return copy
