"""Random sharpness."""

import keras

from perfkit import _check
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import filters
from perfkit.ops.host import filters as host


@keras.saving.register_keras_serializable(package="perfkit")
class RandomSharpness(PixelAugment):
    """Smooth or sharpen each image by a random amount.

    Args:
        factor: Greatest, or `(low, high)`, of a uniform number f, drawn per sample:
            what tells the image from itself smoothed is scaled by 2 f. 0 smooths,
            0.5 changes nothing, 1 sharpens. Within [0, 1].
        value_range: `(low, high)` of the pixel values, where results are cut off.
        seed, data_format: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> edge = np.array([0.0, 0.0, 130.0, 130.0]) * np.ones((4, 4))
        >>> soft = RandomSharpness((0.0, 0.0))(edge[:, :, None])
        >>> np.round(keras.ops.convert_to_numpy(soft)[1, :, 0]).tolist()
        [0.0, 30.0, 100.0, 130.0]

    Reference: Cubuk et al., AutoAugment, 2019, arXiv:1805.09501; PIL's
        `Sharpness`, which leaves the outermost pixels alone. Here the image goes on
        mirrored beyond its edge; in Keras it goes on black.
    """

    def __init__(
        self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = _check.reach("RandomSharpness", "factor", factor, 0.0, 1.0)
        self.value_range = _check.value_range("RandomSharpness", value_range)

    def parameters(self, rng):
        return {"factor": 2.0 * rng.uniform(*self.factor)}

    def pixels(self, images, params):
        return filters.sharpen(images, params["factor"], self.value_range)

    def of_bytes(self, image, params):
        return host.sharpen(image, params["factor"])
