"""How many of the values of an array are zero, and how many differ."""

import numpy as np


def sparsity(values, size=None) -> float:
    """Return the share of values that are zero, of either sign; 0 if there are none.

    Args:
        values: Array of numbers.
        size: How many values there are, where some zeros are not stored.

    Example:
        >>> sparsity([0.0, -0.0, 1.0, 2.0])
        0.5
    """
    values = np.asarray(values)
    size = values.size if size is None else size
    return 1.0 - int(np.count_nonzero(values)) / size if size else 0.0


def distinct(values, size=None) -> int:
    """Return how many different values there are; zeros of either sign are one.

    Args:
        values: Array of numbers.
        size: How many values there are, where some zeros are not stored.

    Example:
        >>> distinct([0.0, -0.0, 1.0, 1.0])
        2
    """
    found = np.unique(np.asarray(values))
    hidden = size is not None and size > np.size(values) and not np.isin(0, found)
    return int(found.size) + bool(hidden)
