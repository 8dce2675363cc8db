"""What filters read beyond the border, as OpenCV has it."""

from perfkit._backend import ops


def reflect(position, size):
    """Fold whole positions on one axis, int32, back into [0, size).

    The outermost pixels are not repeated, as with BORDER_REFLECT_101.
    """
    period = ops.maximum(2 * size - 2, 1)
    position = position % period
    return ops.minimum(position, period - position)


def nearest(position, size):
    """Move whole positions on one axis, int32, to the nearest in [0, size).

    As with BORDER_REPLICATE.
    """
    return ops.clip(position, 0, size - 1)


def pad(images, rows, columns, fold=reflect):
    """Add `rows` above and below and `columns` left and right of NHWC images.

    Both are a number, or one for each side. `fold` is `reflect` or `nearest`.
    """
    _, height, width, _ = ops.shape(images)
    for axis, size, border in ((1, height, rows), (2, width, columns)):
        before, after = border if isinstance(border, tuple) else (border, border)
        if before or after:
            places = ops.arange(size + before + after, dtype="int32") - before
            images = ops.take(images, fold(places, size), axis=axis)
    return images
