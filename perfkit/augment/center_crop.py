"""Center crop."""

import keras

from perfkit import _check
from perfkit.augment.geometric import GeometricAugment
from perfkit.ops import windows


@keras.saving.register_keras_serializable(package="perfkit")
class CenterCrop(GeometricAugment):
    """Cut a window of a given size out of the middle of each image.

    It works at inference too. An image smaller than the window is first enlarged
    until the window fits.

    Args:
        height: Height of the window, in pixels. At least 1.
        width: Width of the window, in pixels. At least 1.
        data_format: See `Augment`.
        **kwargs: See `GeometricAugment` (`bounding_box_format`, ...).

    Shape:
        `(batch, image height, image width, channels)` or one image; `(batch,
        height, width, channels)` out.

    Raises:
        ValueError: If a size is not a whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> image = np.arange(5.0).reshape(1, 5, 1)
        >>> keras.ops.convert_to_numpy(CenterCrop(1, 3)(image))[0, :, 0].tolist()
        [1.0, 2.0, 3.0]

    Reference: none (standard).
    """

    random = False

    def __init__(self, height, width, data_format=None, **kwargs):
        super().__init__(data_format=data_format, **kwargs)
        self.height = _check.integer("CenterCrop", "height", height)
        self.width = _check.integer("CenterCrop", "width", width)

    def matrix(self, params, height, width):
        return windows.crop(0.5, 0.5, height, width, self.height, self.width)

    def output_size(self, height, width):
        return self.height, self.width

    def interpolation_for(self, height, width):
        return windows.crop_interpolation(height, width, self.height, self.width)
