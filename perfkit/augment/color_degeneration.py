"""Random color degeneration."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class RandomColorDegeneration(ColorAugment):
    """Blend each image with its own grey.

    Args:
        factor: Greatest, or `(low, high)`, of the uniform share of grey, drawn per
            sample: 0 changes nothing, 1 leaves no colour. Within [0, 1].
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
        >>> dull = RandomColorDegeneration((0.5, 0.5))(red)
        >>> np.round(keras.ops.convert_to_numpy(dull)[0, 0]).tolist()
        [130.0, 30.0, 30.0]

    Reference: Cubuk et al., AutoAugment, 2019, arXiv:1805.09501; PIL's `Color`. The
        weights of luma are those of ITU-R BT.601.
    """

    def __init__(
        self, factor, value_range=(0, 255), data_format=None, seed=None, **kwargs
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        owner = "RandomColorDegeneration"
        self.factor = _check.reach(owner, "factor", factor, 0.0, 1.0)
        self.value_range = _check.value_range(owner, value_range)

    def parameters(self, rng):
        return {"factor": rng.uniform(*self.factor)}

    def color(self, params):
        return color.saturation(1.0 - params["factor"])
