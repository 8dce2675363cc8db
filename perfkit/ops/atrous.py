"""Convolutions whose taps are apart."""

from perfkit._backend import dtype_of
from perfkit._backend import keras_ops as ops


def by_taps(x, kernel, rate):
    """Sum what each tap makes of the places it meets; zeros lie around the image.

    The same as a convolution, as matrix products: XLA has no quick convolution of this
    kind on a CPU. Taps that are farther off than the image is large cost nothing.

    Args:
        x: `(batch, height, width, channels)`, height and width known.
        kernel: `(rows, columns, channels, filters)`, rows and columns odd.
        rate: Places between taps.

    Returns:
        `(batch, height, width, filters)`.
    """
    height, width = x.shape[1:3]
    total = 0.0
    for row in range(kernel.shape[0]):
        for column in range(kernel.shape[1]):
            down = (row - kernel.shape[0] // 2) * rate
            across = (column - kernel.shape[1] // 2) * rate
            if abs(down) >= height or abs(across) >= width:
                continue
            met = x[:, _met(down, height), _met(across, width)]
            made = ops.cast(ops.matmul(met, kernel[row, column]), "float32")
            around = [(0, 0), _around(down), _around(across), (0, 0)]
            total = total + ops.pad(made, around)
    return ops.cast(total, dtype_of(x))


def _met(shift, size):
    """The places that a tap so far off meets."""
    return slice(max(shift, 0), size + min(shift, 0))


def _around(shift):
    """How many places before and behind those are without it."""
    return max(-shift, 0), max(shift, 0)
