"""Whether two functions of a tensor do the same."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from perfkit.graph.arrays import exact

_SAME = 1e-5


def same(old: Callable, new: Callable, shape: Sequence[int | None]) -> bool:
    """Whether two functions return the same for numbers around 0.

    Args:
        old: A function of a tensor, such as a layer that is built.
        new: Another one.
        shape: Shape of the tensor, in which None stands for any size.
    """
    sizes = [2 if size is None else size for size in shape]
    values = 3.0 * np.random.default_rng(0).normal(size=sizes)
    tensor: Any = keras.ops.convert_to_tensor(values.astype("float32"))
    first, second = exact(old(tensor)), exact(new(tensor))
    return first.shape == second.shape and bool(
        np.allclose(first, second, rtol=_SAME, atol=_SAME)
    )
