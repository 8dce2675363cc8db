"""Auto contrast."""

import keras

from perfkit import _check
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import histogram
from perfkit.ops.host import tones


@keras.saving.register_keras_serializable(package="perfkit")
class AutoContrast(PixelAugment):
    """Stretch the values of each image over the whole range.

    Each channel's least value becomes the lower end of `value_range` and its
    greatest the upper end; a channel of one value stays.

    Args:
        value_range: `(low, high)` of the pixel values.
        seed: See `Augment`; only `rate` draws.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out. The frames
        of a video are stretched as one.

    Raises:
        ValueError: If `value_range` is not an ordered pair.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[100.0], [110.0], [150.0]]])
        >>> stretched = keras.ops.convert_to_numpy(AutoContrast()(image))
        >>> np.round(stretched[0, :, 0]).tolist()
        [0.0, 51.0, 255.0]

    Reference: Cubuk et al., AutoAugment, 2019, arXiv:1805.09501; PIL's `autocontrast`,
        which cuts off decimals. Keras's layer also acts at inference.
    """

    joins_frames = True

    def __init__(self, value_range=(0, 255), *, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.value_range = _check.value_range("AutoContrast", value_range)

    def parameters(self, rng):
        return {}

    def pixels(self, images, params):
        return histogram.autocontrast(images, self.value_range)

    def of_bytes(self, image, params):
        return tones.autocontrast(image)
