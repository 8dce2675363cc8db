"""Sepia."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class Sepia(ColorAugment):
    """Tone each image brown, as an old photograph, more or less.

    Args:
        factor: Greatest, or `(low, high)`, of the uniform strength, drawn per sample:
            0 changes nothing, 1 leaves shades of sepia. Within [0, 1].
        value_range: `(low, high)` of the pixel values, where results are cut off.
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> grey = np.full((1, 1, 3), 100.0)
        >>> brown = Sepia((1.0, 1.0))(grey)
        >>> np.round(keras.ops.convert_to_numpy(brown)[0, 0]).tolist()
        [135.0, 120.0, 94.0]

    Reference: W3C, Filter Effects Module Level 1, `sepia()`.
    """

    def __init__(
        self,
        factor=1.0,
        value_range=(0, 255),
        *,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = _check.reach("Sepia", "factor", factor, 0.0, 1.0)
        self.value_range = _check.value_range("Sepia", value_range)

    def parameters(self, rng):
        return {"factor": rng.uniform(*self.factor)}

    def color(self, params):
        return color.from_black(color.sepia(params["factor"]), self.value_range[0])
