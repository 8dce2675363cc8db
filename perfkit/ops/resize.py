"""Resizing by two products with banded matrices, one for each axis.

They compile everywhere, where TensorFlow's bicubic, Lanczos and antialiased
kernels do not.
"""

import math

from perfkit._backend import matmul, ops


def _triangle(x):
    return ops.maximum(1.0 - x, 0.0)


def _cubic(x):
    """Keys, Cubic Convolution Interpolation for Digital Image Processing, 1981."""
    near = ((1.5 * x - 2.5) * x) * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return ops.where(x >= 2.0, 0.0, ops.where(x >= 1.0, far, near))


def _lanczos(radius):
    def kernel(x):
        safe = math.pi * ops.maximum(x, 1e-4)
        wave = radius * ops.sin(safe) * ops.sin(safe / radius) / (safe * safe)
        return ops.where(x >= radius, 0.0, ops.where(x < 1e-4, 1.0, wave))

    return kernel


KERNELS = {
    "bilinear": _triangle,
    "bicubic": _cubic,
    "lanczos3": _lanczos(3.0),
    "lanczos5": _lanczos(5.0),
}


def weights(out, size, start, extent, longest, interpolation, antialias):
    """Weights of the pixels of one axis in each pixel of the output.

    Args:
        out: Length of the output, in pixels.
        size: Length of the input, in pixels.
        start: Where the window begins, in whole pixels; negative if it is padded.
        extent: Length of the window, in whole pixels.
        longest: What `extent` cannot exceed. JAX, which has to know the length of
            an array, can derive this one from a size that it does not know yet.
        interpolation: One of `KERNELS`.
        antialias: Whether to widen the kernel when shrinking.

    Returns:
        `(out, size)`. Rows sum to 1, or less where padding is seen.
    """
    extent = int(extent) if isinstance(extent, float) else ops.cast(extent, "int32")
    stretch = ops.cast(extent, "float32") / out
    center = (ops.arange(out, dtype="float32") + 0.5) * stretch - 0.5
    width = ops.maximum(stretch, 1.0) if antialias else 1.0

    def kernel(position):
        distance = ops.abs(position[None, :] - center[:, None]) / width
        return KERNELS[interpolation](distance)

    last = ops.cast(extent, "float32") - 1.0
    position = ops.arange(longest, dtype="float32")
    within = position <= last
    total = ops.sum(ops.where(within[None, :], kernel(position), 0.0), axis=1)
    position = ops.arange(size, dtype="float32") - ops.cast(start, "float32")
    seen = (position >= 0.0) & (position <= last)
    return ops.where(seen[None, :], kernel(position), 0.0) / total[:, None]


def resize(images, vertical, horizontal, fill_value):
    """Resize float32 NHWC images by the `weights` of both axes.

    What the weights lack to a sum of 1 is filled with `fill_value`.
    """
    batch, height, width, channels = ops.shape(images)
    rows = ops.reshape(images, (batch, height, width * channels))
    rows = matmul(vertical[None], rows)
    out_height, out_width = vertical.shape[0], horizontal.shape[0]
    columns = ops.reshape(rows, (batch * out_height, width, channels))
    columns = matmul(horizontal[None], columns)
    shrunk = ops.reshape(columns, (batch, out_height, out_width, channels))
    covered = ops.sum(vertical, axis=1)[:, None] * ops.sum(horizontal, axis=1)[None, :]
    return shrunk + (1.0 - covered)[None, :, :, None] * fill_value
