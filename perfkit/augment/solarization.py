"""Solarization."""

import keras

from perfkit import _check
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import points


@keras.saving.register_keras_serializable(package="perfkit")
class Solarization(PixelAugment):
    """Brighten each image, then turn values from a random threshold on negative.

    Without arguments all values are turned: the threshold is the lower end of
    `value_range`.

    Args:
        addition_factor: Greatest, or `(low, high)`, of what is added first, uniform,
            drawn per sample. Fraction of the range. Within [0, 1].
        threshold_factor: Greatest, or `(low, high)`, of the threshold, uniform, drawn
            per sample. Fraction of the range. Within [0, 1].
        value_range: `(low, high)` of the pixel values, where sums are cut off.
        seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If a factor is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[20.0], [100.0], [200.0]]])
        >>> solarized = Solarization(threshold_factor=(0.5, 0.5))(image)
        >>> keras.ops.convert_to_numpy(solarized)[0, :, 0].tolist()
        [20.0, 100.0, 55.0]

    Reference: Cubuk et al., AutoAugment, 2019, arXiv:1805.09501; PIL's `solarize`.
        The ends of each factor are fractions of the range; Keras takes the lower one
        as a pixel value.
    """

    pointwise = True

    def __init__(
        self,
        addition_factor=0.0,
        threshold_factor=0.0,
        value_range=(0, 255),
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        for name, factor in (
            ("addition_factor", addition_factor),
            ("threshold_factor", threshold_factor),
        ):
            setattr(self, name, _check.reach("Solarization", name, factor, 0.0, 1.0))
        self.value_range = _check.value_range("Solarization", value_range)

    def parameters(self, rng):
        low, high = self.value_range
        return {
            "addition": (high - low) * rng.uniform(*self.addition_factor),
            "threshold": low + (high - low) * rng.uniform(*self.threshold_factor),
        }

    def pixels(self, images, params):
        threshold, addition = params["threshold"], params["addition"]
        return points.solarize(images, threshold, addition, self.value_range)
