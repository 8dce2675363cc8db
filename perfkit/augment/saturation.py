"""Random saturation."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class RandomSaturation(ColorAugment):
    """Make the colours of each image stronger or weaker.

    Args:
        factor: Greatest, or `(low, high)`, of a uniform number f, drawn per
            sample: colours are scaled by f / (1 - f) about the grey of the same
            luma, and at most a hundredfold. 0 makes grey, 0.5 changes nothing.
            Within [0, 1].
        value_range: `(low, high)` of the pixel values, where results are cut off.
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> red = np.array([[[200.0, 0.0, 0.0]]])
        >>> grey = RandomSaturation((0.0, 0.0))(red)
        >>> np.round(keras.ops.convert_to_numpy(grey)[0, 0]).tolist()
        [60.0, 60.0, 60.0]

    Reference: none (standard). The map is linear in RGB, as PIL's and
        torchvision's; Keras scales the saturation of HSV.
    """

    def __init__(
        self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = _check.reach("RandomSaturation", "factor", factor, 0.0, 1.0)
        self.value_range = _check.value_range("RandomSaturation", value_range)

    def parameters(self, rng):
        return {"factor": rng.uniform(*self.factor)}

    def color(self, params):
        return color.saturation(color.strength(params["factor"]))
