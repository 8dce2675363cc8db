"""Values of variables and tensors as NumPy arrays of their own."""

from typing import Any

import keras
import numpy as np


def array(value: Any, dtype: Any = None) -> np.ndarray:
    """Return a copy of a value, which nobody else changes or gives away.

    On JAX what a variable holds is gone once `fit` was given it.
    """
    return np.array(keras.ops.convert_to_numpy(value), dtype)


def exact(value: Any) -> np.ndarray:
    """Return a copy of a value in float64."""
    return array(value, "float64")
