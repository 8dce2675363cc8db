"""Matrices as products of two thin ones.

A table becomes `table @ axes @ axes.T`, with some columns of an orthogonal matrix. It
is the best table of that rank, by the squared error of the table itself or of its
outputs on data.
"""

import numpy as np


def axes_of_tables(tables) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes that keep most of some matrices.

    Args:
        tables: `(groups, rows, columns)`.

    Returns:
        The squared norms along the axes, falling, `(groups, rank)`, and the axes,
        `(groups, columns, rank)`, float64.

    Reference: Eckart and Young, The approximation of one matrix by another of lower
        rank, 1936: what gets lost is the sum of the squared norms left out.
    """
    _, singular, axes = np.linalg.svd(tables.astype("float64"), full_matrices=False)
    return singular**2, np.swapaxes(axes, -1, -2)


def axes_of_covariances(covariances) -> tuple[np.ndarray, np.ndarray]:
    """Return the axes that keep most of the variance of outputs.

    Args:
        covariances: `(groups, columns, columns)`, of what the matrices make of data.

    Returns:
        Variances along the axes, falling, and the axes, as of `axes_of_tables`.
    """
    squares, axes = np.linalg.eigh(covariances)
    return np.maximum(squares[:, ::-1], 0.0), axes[:, :, ::-1]


def rank_of_energy(squares, energy) -> int:
    """Return the least rank that keeps a share of the squared norms.

    Args:
        squares: `(groups, rank)`, falling.
        energy: The share, within (0, 1].
    """
    total = squares.sum(axis=0)
    lost = total.sum() - np.cumsum(total)
    enough = lost <= (1.0 - energy + 1e-12) * total.sum()
    return int(np.argmax(enough)) + 1


def thin(tables, axes, rank) -> tuple[np.ndarray, np.ndarray]:
    """Return matrices whose product has this rank and is nearest to each table.

    Args:
        tables: `(groups, rows, columns)`.
        axes: `(groups, columns, rank)` or more of them.
        rank: How many axes stay.

    Returns:
        `(groups, rows, rank)` and `(groups, rank, columns)`.
    """
    kept = axes[:, :, :rank]
    return tables @ kept, np.swapaxes(kept, -1, -2)
