"""Random posterization."""

import keras

from perfkit import _check
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import points


@keras.saving.register_keras_serializable(package="perfkit")
class RandomPosterization(PixelAugment):
    """Keep only the upper bits of each value, a random number of them per image.

    Args:
        factor: Number of bits kept, or `(low, high)`, both included, to draw it from,
            per sample. Whole numbers within [1, 8]; 8 keeps 256 levels. Keras draws
            from 1 to `factor - 1` where `factor` is a number.
        value_range: `(low, high)` of the pixel values, whose 256 levels have 8 bits.
        seed, data_format: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not a whole number or an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[100.0], [150.0], [255.0]]])
        >>> coarse = RandomPosterization(2)(image)
        >>> keras.ops.convert_to_numpy(coarse)[0, :, 0].tolist()
        [64.0, 128.0, 192.0]

    Reference: Cubuk et al., AutoAugment, 2019, arXiv:1805.09501; PIL's `posterize`.
    """

    pointwise = True

    def __init__(
        self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        owner = "RandomPosterization"
        self.factor = _check.whole_or_span(owner, "factor", factor, 1, 8)
        self.value_range = _check.value_range(owner, value_range)

    def parameters(self, rng):
        low, high = self.factor
        return {"bits": rng.integers(low, high + 1)}

    def pixels(self, images, params):
        return points.posterize(images, params["bits"], self.value_range)
