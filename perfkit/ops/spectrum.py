"""Singular values of matrices by power iteration."""

import numpy as np

from perfkit._backend import keras_ops as ops
from perfkit._backend import matmul
from perfkit.ops import kernels


def gram(matrix):
    """Return the products of the rows or of the columns, whichever are fewer."""
    rows, columns = matrix.shape
    other = ops.transpose(matrix)
    return matmul(matrix, other) if rows < columns else matmul(other, matrix)


def largest_singular_value_squared(matrix, steps):
    """Return the square of the largest singular value, at most; a scalar.

    Its gradient takes the singular vector for a constant, which is exact where the
    iteration has converged.

    Args:
        matrix: `(rows, columns)`.
        steps: Number of iterations. At least 1.
    """
    fixed = ops.stop_gradient(matrix)
    other = ops.transpose(fixed)
    vector = _dominant(
        lambda vector: matmul(other, matmul(fixed, vector)), matrix, steps
    )
    return ops.sum(ops.square(matmul(matrix, vector)))


def largest_eigenvalue_size(matrix, steps):
    """Return the size of the largest eigenvalue of a symmetric matrix, at most."""
    fixed = ops.stop_gradient(matrix)
    vector = _dominant(lambda vector: matmul(fixed, vector), matrix, steps)
    return kernels.root(ops.sum(ops.square(matmul(matrix, vector))))


def _dominant(apply, matrix, steps):
    """Iterate from a fixed vector with a part in any direction one may think of."""
    start = np.cos(np.arange(1, matrix.shape[1] + 1, dtype="float64") ** 2)
    start = ops.convert_to_tensor(start[:, None], dtype=matrix.dtype)

    def step(_, vector):
        vector = apply(vector)
        length = ops.sqrt(ops.sum(ops.square(vector)))
        return vector / ops.maximum(length, 1e-30)

    start = start / ops.sqrt(ops.sum(ops.square(start)))
    return ops.stop_gradient(ops.fori_loop(0, steps, step, start))
