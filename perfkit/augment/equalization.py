"""Histogram equalization."""

import keras

from perfkit import _check
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import histogram
from perfkit.ops.host import tones


@keras.saving.register_keras_serializable(package="perfkit")
class Equalization(PixelAugment):
    """Spread the values of each image evenly over the whole range.

    Each channel's values become its own cumulative histogram.

    Args:
        value_range: `(low, high)` of the pixel values.
        bins: Number of levels that values are rounded to. Within [2, 65536].
        seed, data_format: See `Augment`; only `rate` draws.
        **kwargs: See `PixelAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out. The frames
        of a video share one histogram per channel.

    Raises:
        ValueError: If `bins` is not a whole number within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [0.0], [85.0], [85.0], [170.0]]])
        >>> even = Equalization(bins=4)(image)
        >>> keras.ops.convert_to_numpy(even)[0, :, 0].tolist()
        [0.0, 0.0, 170.0, 170.0, 255.0]

    Reference: Cubuk et al., AutoAugment, 2019, arXiv:1805.09501; PIL's
        `equalize`, which 256 bins equal bit for bit: a channel of which fewer than
        `bins - 1` pixels lie below its top level keeps its levels. Keras equalizes a
        batch by one histogram.
    """

    joins_frames = True

    def __init__(
        self, value_range=(0, 255), bins=256, data_format=None, *, seed=None, **kwargs
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.value_range = _check.value_range("Equalization", value_range)
        self.bins = _check.integer("Equalization", "bins", bins, 2, 65536)

    def parameters(self, rng):
        return {}

    def pixels(self, images, params):
        return histogram.equalize(images, self.value_range, self.bins)

    def of_bytes(self, image, params):
        return tones.equalize(image, self.bins)
