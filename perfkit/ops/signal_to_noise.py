"""How far values are from those that they stand for."""

import math

import numpy as np


def sqnr(reference, values) -> float:
    """Return the signal-to-quantization-noise ratio in decibels.

    Ten times the decimal logarithm of the energy of the reference over that of the
    error: 20 more are an error of a tenth. Infinite where both are equal.

    Args:
        reference: Array of what is right.
        values: Array of the same shape.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> round(sqnr([3.0, 4.0], [3.0, 4.5]), 6)
        20.0
    """
    return decibels(*energies(reference, values))


def energies(reference, values) -> np.ndarray:
    """Return the energies of the reference and of the error, which add over batches.

    In float64, of arrays of the same shape.
    """
    reference, values = np.asarray(reference), np.asarray(values)
    if reference.shape != values.shape:
        raise ValueError(
            "`sqnr(values=...)` must be of the shape of `reference`, "
            f"{reference.shape}. Received: values of shape {values.shape}"
        )
    reference = reference.astype("float64").ravel()
    error = reference - values.astype("float64").ravel()
    return np.array([reference @ reference, error @ error])


def decibels(signal: float, noise: float) -> float:
    """Return ten times the decimal logarithm of a ratio of energies.

    Infinite without noise, even where there is no signal either.
    """
    if noise == 0.0:
        return math.inf
    with np.errstate(divide="ignore", invalid="ignore"):  # no signal; all is infinite
        return float(10.0 * np.log10(np.divide(signal, noise)))
