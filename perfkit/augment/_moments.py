"""Mean and variance of data that come in batches."""

from typing import Any

import keras
import numpy as np


def arrays(data: Any, key):
    """Go once over data, and give each batch as a float64 array.

    Args:
        data: An array, or an iterable of batches: of arrays, of tuples that begin with
            one, or of dicts with one at `key`. A `PyDataset` has a length and may
            repeat.
        key: Key of the array in a dict.
    """
    batches = data
    if isinstance(data, dict) or hasattr(data, "dtype"):
        batches = [data]
    elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        batches = (data[k] for k in range(len(data)))
    for batch in batches:
        values = batch[0] if isinstance(batch, (list, tuple)) else batch
        values = values[key] if isinstance(values, dict) else values
        yield np.asarray(keras.ops.convert_to_numpy(values), "float64")


def mean_and_variance(name, batches):
    """Mean and variance of each column of batches of rows.

    Chan, Golub and LeVeque's pairwise update, exact for large means.
    """
    count, mean, squares = 0, 0.0, 0.0
    for rows in batches:
        here, own = len(rows), rows.mean(axis=0)
        shift = own - mean
        both = count + here
        squares = (
            squares + ((rows - own) ** 2).sum(axis=0) + shift**2 * count * here / both
        )
        mean = mean + shift * here / both
        count = both
    if count == 0:
        raise ValueError(f"{name}: there are no data to adapt to.")
    if not np.all(np.isfinite(mean)) or not np.all(np.isfinite(squares)):
        raise ValueError(f"{name}: the data hold NaN or infinity.")
    return np.asarray(mean), np.asarray(squares / count)
