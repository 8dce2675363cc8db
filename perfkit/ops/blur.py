"""Blurs of NHWC images, one kernel per image, mirrored at the border."""

import math
from typing import Any

from perfkit._backend import gather_pixels, ops
from perfkit.ops import borders

# From this size on XLA does better with two passes over memory than with one.
_TWO_PASSES = 7


def gaussian(images, sigma, kernel_size):
    """Blur by a sampled Gaussian that is cut off and sums to 1.

    Args:
        images: float32 `(batch, height, width, channels)`.
        sigma: Standard deviation in pixels, `(batch, 1, 1, 1)`; 0 blurs nothing.
        kernel_size: Odd height and width of the kernel, in pixels.
    """
    _, height, width, _ = shape = ops.shape(images)
    reach = max(kernel_size) // 2
    vertical, horizontal = [_gaussian(sigma, reach, size // 2) for size in kernel_size]
    if max(kernel_size) < _TWO_PASSES:
        # XLA makes one pass of both: it sums over rows anew for each column.
        rows = borders.pad(images, reach, 0)
        images = _weighted(vertical, lambda k: rows[:, k : k + height])
        columns = borders.pad(images, 0, reach)
        return _weighted(horizontal, lambda k: columns[:, :, k : k + width])
    # It does not make one pass of a loop.
    padded = borders.pad(images, reach, reach)
    larger = ops.shape(padded)
    margin = ((0, 0), (reach, reach), (reach, reach), (0, 0))

    def blurred_along(axis, images):
        images = ops.pad(images, margin)

        def window(k):
            shift = (k - reach) * (1 - axis), (k - reach) * axis
            start = (0, reach + shift[0], reach + shift[1], 0)
            return ops.slice(images, start, larger)

        return _weighted(ops.where(axis == 0, vertical, horizontal), window)

    blurred = ops.fori_loop(0, 2, blurred_along, padded)
    return ops.slice(blurred, (0, reach, reach, 0), shape)


def _gaussian(sigma, reach, within):
    """Weights at distances -reach to reach, 0 beyond `within`: `(batch, taps)`."""
    distance = ops.arange(2 * reach + 1, dtype="float32") - reach
    sharpness = -0.5 / ops.maximum(sigma[:, 0, 0], 1e-3) ** 2
    weights = ops.exp(distance * distance * sharpness)
    weights = ops.where(ops.abs(distance) <= within, weights, 0.0)
    return weights / ops.sum(weights, axis=1)[:, None]


def _weighted(weights, window):
    """Sum the windows `0, 1, ...` of images by weights `(batch, taps)`."""
    total: Any = 0.0
    for k in range(weights.shape[1]):
        total = total + weights[:, k, None, None, None] * window(k)
    return total


def line(turns, direction, length, kernel_size):
    """Where a line passes, step by step along the axis that it is closer to.

    Arguments as in `motion`, but `(batch, 1)`.

    Returns:
        Whether that axis is the horizontal one, `(batch, 1)`; the pixel of the other
        axis before the line and how far the line is past it, at each step, both
        `(batch, kernel_size)`; and the weights of the steps.
    """
    reach = kernel_size // 2
    x, y = ops.cos(turns * (2.0 * math.pi)), -ops.sin(turns * (2.0 * math.pi))
    lies = ops.abs(x) >= ops.abs(y)
    major, minor = ops.where(lies, x, y), ops.where(lies, y, x)
    step = ops.arange(kernel_size, dtype="float32") - reach
    covered = 0.5 * length * ops.abs(major) + 0.5 - ops.abs(step)
    slant = 1.0 + direction * step / (0.5 * length * major)
    weights = ops.clip(covered, 0.0, 1.0) * ops.maximum(slant, 0.0)
    weights = weights / ops.sum(weights, axis=1)[:, None]
    across = minor / major * step
    low = ops.floor(across)
    return lies, low, across - low, weights


def motion(images, turns, direction, length, kernel_size):
    """Blur along a straight line through each pixel.

    The line goes in steps of a pixel along the axis that it is closer to, and
    between two pixels of the other axis, linearly.

    Args:
        images: float32 `(batch, height, width, channels)`.
        turns: Angle of the line in turns, counter-clockwise, `(batch, 1, 1, 1)`.
        direction: From -1, where weights fall linearly to 0 at the end that the
            angle points to, by 0, where they are equal, to 1, where they fall to 0
            at the other end. `(batch, 1, 1, 1)`.
        length: Length of the line in pixels, `(batch, 1, 1, 1)`.
        kernel_size: Greatest length, odd, in pixels.
    """
    _, height, width, _ = ops.shape(images)
    reach = kernel_size // 2
    turns, direction, length = [x[:, 0, 0] for x in (turns, direction, length)]
    lies, low, part, weights = line(turns, direction, length, kernel_size)
    taps = [
        (k, x[:, k, None, None], weight[:, k, None, None])
        for x, weight in (
            (low, weights * (1.0 - part)),
            (ops.minimum(low + 1.0, float(reach)), weights * part),
        )
        for k in range(kernel_size)
    ]
    padded = borders.pad(images, reach, reach)
    row = ops.arange(height, dtype="int32")[None, :, None] + reach
    column = ops.arange(width, dtype="int32")[None, None, :] + reach
    lies = lies[:, :, None]
    blurred: Any = 0.0
    for k, across, weight in taps:
        across = ops.cast(across, "int32")
        rows = row + ops.where(lies, across, k - reach)
        columns = column + ops.where(lies, k - reach, across)
        values = gather_pixels(padded, rows * (width + 2 * reach) + columns)
        blurred = blurred + values * weight[..., None]
    return blurred
