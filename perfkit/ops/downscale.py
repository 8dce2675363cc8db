"""Reducing NHWC images and enlarging them again, each to its own fraction."""

from perfkit._backend import gather_pixels, matmul, ops
from perfkit.ops.resize import KERNELS


def reduced(scale, size):
    """Pixels of an axis of `size` that are left at `scale`: at least 1, as int32."""
    size = ops.cast(size, "float32")
    return ops.cast(ops.clip(ops.round(scale * size), 1.0, size), "int32")


def nearest(images, scale):
    """Repeat the pixels at the centres of blocks; `scale` is `(batch, 1, 1, 1)`."""
    _, height, width, _ = ops.shape(images)
    scale = scale[:, 0, 0]
    rows, columns = [_nearest(scale, size) for size in (height, width)]
    return gather_pixels(images, rows[:, :, None] * width + columns[:, None, :])


def _nearest(scale, size):
    """Where each pixel of an axis is read, in whole numbers, so that ties are exact."""
    left = reduced(scale, size)
    place = ops.arange(size, dtype="int32")[None, :]
    block = (2 * place + 1) * left // (2 * size)
    return (2 * block + 1) * size // (2 * left)


def filtered(images, scale, interpolation):
    """Resize with antialiasing and back, by one of `resize.KERNELS`."""
    batch, height, width, channels = ops.shape(images)
    vertical, horizontal = [
        _there_and_back(scale[:, 0, 0], size, KERNELS[interpolation])
        for size in (height, width)
    ]
    rows = ops.reshape(images, (batch, height, width * channels))
    images = ops.reshape(matmul(vertical, rows), (batch, height, width, channels))
    turned = ops.transpose(images, (0, 2, 1, 3))
    columns = ops.reshape(turned, (batch, width, height * channels))
    turned = ops.reshape(matmul(horizontal, columns), (batch, width, height, channels))
    return ops.transpose(turned, (0, 2, 1, 3))


def _there_and_back(scale, size, kernel):
    """Weights of the pixels of an axis in each, `(batch, size, size)`."""
    left = ops.cast(reduced(scale, size), "float32")
    whole = ops.cast(size, "float32") + ops.zeros_like(left)
    down = _weights(size, left, whole, kernel)
    return matmul(_weights(size, whole, left, kernel), down)


def _weights(size, out, extent, kernel):
    """Weights of `extent` pixels in each of `out`; zero beyond them.

    Both are `(batch, 1)`, and at most `size`.
    """
    stretch = extent / out
    place = ops.arange(size, dtype="float32")
    center = (place[None, :] + 0.5) * stretch - 0.5
    distance = ops.abs(place[None, None, :] - center[:, :, None])
    weights = kernel(distance / ops.maximum(stretch, 1.0)[:, :, None])
    inside = (place[None, :] < out)[:, :, None] & (place[None, :] < extent)[:, None, :]
    weights = ops.where(inside, weights, 0.0)
    total = ops.sum(weights, axis=2)
    return weights / ops.where(total > 0.0, total, 1.0)[:, :, None]
