"""Linear maps of the colours of one image."""

import numpy as np

from perfkit.ops.host import cv2, flat

_MIXED = 4  # channels: the most that OpenCV maps
_TOP = 255.0


def matrices(mix, offset):
    """Factors and offsets of maps side by side, `(batch, channels, channels + 1)`.

    `mix` are factors of the channels, `(batch, channels)`, or square matrices.
    """
    if mix.ndim == 2:
        mix = mix[:, :, None] * np.eye(mix.shape[1])
    batch = max(len(mix), len(offset))
    sides = [
        np.broadcast_to(x, (batch, *x.shape[1:])) for x in (mix, offset[..., None])
    ]
    return np.concatenate(sides, axis=2, dtype="float64")


def equals(matrices, factor, offset=0.0):
    """For each map, whether it is one factor and offset for all channels; booleans."""
    channels = matrices.shape[1]
    sides = factor * np.eye(channels), np.full((channels, 1), offset)
    return (matrices == np.concatenate(sides, axis=1)).all(axis=(1, 2)).tolist()


def inverted(image, out=None):
    """The negative of an image of bytes."""
    rows = [None if x is None else x.reshape(len(x), -1) for x in (image, out)]
    return cv2().bitwise_not(rows[0], dst=rows[1]).reshape(image.shape)


def mixed(image, matrix, out=None):
    """Map the colours of an image of bytes or float32, in its dtype.

    Where channels are mixed, OpenCV counts bytes in thousandths, and a few are rounded
    to the wrong side.

    Args:
        image: `(height, width, channels)`.
        matrix: Of `matrices`.
        out: An array for the result, if there is one.
    """
    if image.shape[-1] <= _MIXED:
        into = None if out is None else flat(out)
        return cv2().transform(flat(image), matrix, dst=into).reshape(image.shape)
    matrix = matrix.astype("float32")
    values = image.astype("float32", copy=False) @ matrix[:, :-1].T + matrix[:, -1]
    return whole(values) if image.dtype == np.uint8 else values


def whole(values):
    """Floats as bytes, rounded and cut off."""
    # `np.rint` and a cast take 20 times as long.
    rows = np.clip(values, 0.0, _TOP).reshape(len(values), -1)
    return cv2().convertScaleAbs(rows).reshape(values.shape)
