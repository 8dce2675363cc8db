"""Rescaling."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class Rescaling(ColorAugment):
    """Multiply pixels by a number and add another.

    It works at inference too.

    Args:
        scale: Number, or one for each channel.
        offset: Number, or one for each channel.
        **kwargs: See `ColorAugment` (`data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `scale` or `offset` is neither a finite number nor a list of
            them.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [127.5], [255.0]]])
        >>> scaled = Rescaling(1 / 127.5, offset=-1)(image)
        >>> np.round(keras.ops.convert_to_numpy(scaled)[0, :, 0], 3).tolist()
        [-1.0, 0.0, 1.0]

    Reference: none (standard).
    """

    random = False

    def __init__(self, scale, offset=0.0, **kwargs):
        super().__init__(**kwargs)
        self.scale = _check.per_channel("Rescaling", "scale", scale)
        self.offset = _check.per_channel("Rescaling", "offset", offset)

    def color(self, params):
        return color.ColorMatrix(_row(self.scale), _row(self.offset))


def _row(value):
    row = ops.convert_to_tensor(value, "float32")
    return ops.reshape(row, (1, -1))
