"""What filters read beyond the border: the image mirrored in its outermost pixels.

The outermost pixels are not repeated, as OpenCV's BORDER_REFLECT_101 has it.
"""

from perfkit._backend import ops


def reflect(position, size):
    """Fold whole positions on one axis, int32, back into [0, size)."""
    period = ops.maximum(2 * size - 2, 1)
    position = position % period
    return ops.minimum(position, period - position)


def pad(images, rows, columns):
    """Add `rows` above and below and `columns` left and right of NHWC images."""
    _, height, width, _ = ops.shape(images)
    for axis, size, border in ((1, height, rows), (2, width, columns)):
        if border:
            places = ops.arange(size + 2 * border, dtype="int32") - border
            images = ops.take(images, reflect(places, size), axis=axis)
    return images
