"""Random brightness."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class RandomBrightness(ColorAugment):
    """Add one random offset to each image and cut off at `value_range`.

    Args:
        factor: Half-width, or `(low, high)`, of the uniform offset, drawn per
            sample. Fraction of the width of `value_range`. Within [-1, 1].
        value_range: `(low, high)` of the pixel values.
        seed: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [100.0], [250.0]]])
        >>> brighter = RandomBrightness((0.2, 0.2))(image)
        >>> np.round(keras.ops.convert_to_numpy(brighter)[0, :, 0]).tolist()
        [51.0, 151.0, 255.0]

    Reference: none (standard).
    """

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.factor = _check.span("RandomBrightness", "factor", factor, -1.0, 1.0)
        self.value_range = _check.value_range("RandomBrightness", value_range)

    def parameters(self, rng):
        return {"factor": rng.uniform(*self.factor)}

    def color(self, params):
        low, high = self.value_range
        return color.gain(1.0, params["factor"] * (high - low))
