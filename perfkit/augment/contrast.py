"""Random contrast."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class RandomContrast(ColorAugment):
    """Scale each image's distance from its mean colour by a random factor.

    Args:
        factor: `x`, or `(lower, upper)`: the factor is uniform in [1 - lower, 1 +
            upper], drawn per sample. Within [0, 1].
        value_range: `(low, high)` of the pixel values, where results are cut off.
        seed: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out. The mean
        is one per image and channel, over all frames of a video.

    Raises:
        ValueError: If `factor` is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[50.0], [100.0], [150.0]]])
        >>> flat = RandomContrast((1.0, 0.0), seed=2)(image)
        >>> bool(np.ptp(keras.ops.convert_to_numpy(flat)) < 100.0)
        True

    Reference: none (standard).
    """

    uses_mean = True

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.factor = _check.margins("RandomContrast", "factor", factor, 0.0, 1.0)
        self.value_range = _check.value_range("RandomContrast", value_range)

    def parameters(self, rng):
        lower, upper = self.factor
        return {"factor": rng.uniform(1.0 - lower, 1.0 + upper)}

    def color(self, params):
        return color.contrast(params["factor"], params["mean"])
