"""Random grayscale."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class RandomGrayscale(ColorAugment):
    """Take the colours out of some images; the channels stay.

    Args:
        factor: Probability that a sample is changed. Within [0, 1].
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is out of bounds.

    Example:
        >>> import numpy as np
        >>> red = np.array([[[200.0, 0.0, 0.0]]])
        >>> grey = RandomGrayscale(1.0)(red)
        >>> np.round(keras.ops.convert_to_numpy(grey)[0, 0]).tolist()
        [60.0, 60.0, 60.0]

    Reference: none (standard). The weights of luma are those of ITU-R BT.601.
    """

    def __init__(self, factor=0.5, data_format=None, seed=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = _check.unit("RandomGrayscale", "factor", factor)

    def parameters(self, rng):
        return {"keep": ops.where(rng.bernoulli(self.factor), 0.0, 1.0)}

    def color(self, params):
        return color.saturation(params["keep"])
