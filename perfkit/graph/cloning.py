"""Copies of models with all that they hold."""

from typing import Any

import keras
import numpy as np


def cloned(model) -> Any:
    """Return a model of the same layers with copies of all variables.

    Of weights, moving statistics and the states of random numbers, so that both go on
    alike.
    """
    copy: Any = keras.models.clone_model(model)
    if not copy.built:
        copy.build(model.input_shape)
    for variable, value in zip(copy.variables, model.variables, strict=True):
        variable.assign(np.array(keras.ops.convert_to_numpy(value)))
    return copy
