"""Random inversion."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class RandomInvert(ColorAugment):
    """Turn some images into their negatives.

    Args:
        factor: Probability that a sample is changed, or `(low, high)` to draw that
            probability from, per sample. Within [0, 1]. Keras takes a number as
            `(0, factor)`, so that its 1.0 changes every second image.
        value_range: `(low, high)` of the pixel values, whose ends change places.
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [100.0], [255.0]]])
        >>> keras.ops.convert_to_numpy(RandomInvert()(image))[0, :, 0].tolist()
        [255.0, 155.0, 0.0]

    Reference: none (standard).
    """

    cuts_off = False  # so that samples not drawn stay as they are

    def __init__(
        self, factor=1.0, value_range=(0, 255), seed=None, data_format=None, **kwargs
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = _check.fixed_or_span("RandomInvert", "factor", factor, 0.0, 1.0)
        self.value_range = _check.value_range("RandomInvert", value_range)

    def parameters(self, rng):
        inverted = rng.bernoulli(rng.uniform(*self.factor))
        return {"inverted": ops.where(inverted, 1.0, 0.0)}

    def color(self, params):
        low, high = self.value_range
        inverted = params["inverted"]
        return color.gain(1.0 - 2.0 * inverted, inverted * (low + high))
