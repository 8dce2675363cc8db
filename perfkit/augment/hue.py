"""Random hue."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class RandomHue(ColorAugment):
    """Turn the colours of each image around the colour wheel.

    Args:
        factor: Greatest, or `(low, high)`, turn either way, drawn per sample. 1 is
            half a turn, to the opposite colour. Within [0, 1].
        value_range: `(low, high)` of the pixel values, where results are cut off.
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> grey = np.full((1, 1, 3), 90.0)
        >>> turned = RandomHue((1.0, 1.0))(grey)
        >>> np.round(keras.ops.convert_to_numpy(turned)[0, 0]).tolist()
        [90.0, 90.0, 90.0]

    Reference: none (standard). The turn is about the luma axis of YIQ, which is
        linear and keeps the luma; Keras turns the hue of HSV.
    """

    def __init__(
        self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = _check.reach("RandomHue", "factor", factor, 0.0, 1.0)
        self.value_range = _check.value_range("RandomHue", value_range)

    def parameters(self, rng):
        return {"turns": rng.sign() * rng.uniform(*self.factor) * 0.5}

    def color(self, params):
        return color.hue(params["turns"])
