"""Median blur."""

import keras

from perfkit import _check
from perfkit.augment.pixel import PixelAugment
from perfkit.ops.host import filters as host
from perfkit.ops.median import median


@keras.saving.register_keras_serializable(package="perfkit")
class MedianBlur(PixelAugment):
    """Replace each pixel by the median of its square neighbourhood.

    Channels are filtered one by one, and beyond the border the outermost pixels go
    on. Every image that `rate` picks is filtered alike.

    Args:
        kernel_size: Height and width of the neighbourhood, in pixels: 3 or 5.
        seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `kernel_size` is neither 3 nor 5.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [9.0], [3.0], [4.0], [5.0]]])
        >>> keras.ops.convert_to_numpy(MedianBlur()(image))[0, :, 0].tolist()
        [1.0, 3.0, 4.0, 4.0, 5.0]

    Reference: Tukey, Exploratory Data Analysis, 1977.
    """

    def __init__(self, kernel_size=3, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.kernel_size = _check.odd("MedianBlur", "kernel_size", kernel_size, 3, 5)

    def parameters(self, rng):
        return {}

    def pixels(self, images, params):
        return median(images, self.kernel_size)

    def of_bytes(self, image, params):
        return host.median(image, self.kernel_size)
