"""RandAugment."""

import keras

from perfkit import _check
from perfkit.augment.policy import PolicyAugment, evenly, numbers

NAMES = (
    "identity",
    "auto_contrast",
    "equalize",
    "rotate",
    "solarize",
    "color",
    "posterize",
    "contrast",
    "brightness",
    "sharpness",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)


@keras.saving.register_keras_serializable(package="perfkit")
class RandAugment(PolicyAugment):
    """Apply a few of fourteen operations, all of one strength, chosen per image.

    Args:
        value_range: `(low, high)` of the pixel values.
        num_ops: How many operations are applied to an image, one after the other.
            At least 1.
        factor: Strength, within [0, 1], the paper's magnitude over its greatest; or
            `(low, high)` to draw it from, per image and operation. 0 leaves only
            automatic contrast and equalization. Keras takes a number as `(0,
            factor)`.
        interpolation: `"bilinear"` or `"nearest"`, for images.
        seed, data_format: See `Augment` and `ImageAugment`.
        **kwargs: See `PolicyAugment` (`fill_mode`, `rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.full((4, 8, 8, 3), 100, "uint8")
        >>> RandAugment(factor=0.3, dtype="uint8")(image).shape == (4, 8, 8, 3)
        True

    Reference: Cubuk et al., RandAugment: Practical automated data augmentation with a
        reduced search space, 2019, 1909.13719. Posterize goes down to 4 bits; the
        authors' code has fewer bits at lower magnitudes.
    """

    def __init__(
        self,
        value_range=(0, 255),
        num_ops=2,
        factor=0.5,
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            value_range=value_range,
            interpolation=interpolation,
            seed=seed,
            data_format=data_format,
            **kwargs,
        )
        self.num_ops = _check.integer("RandAugment", "num_ops", num_ops, 1, 16)
        self.factor = _check.fixed_or_span("RandAugment", "factor", factor, 0.0, 1.0)
        self.slots = (evenly(NAMES),) * self.num_ops

    def plan(self, rng):
        shares = [1.0 / len(NAMES)] * len(NAMES)
        return [
            (numbers(NAMES, rng.deal(shares)), rng.uniform(*self.factor))
            for _ in range(self.num_ops)
        ]
