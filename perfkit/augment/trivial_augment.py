"""TrivialAugment."""

import keras

from perfkit._backend import ops
from perfkit.augment.bank import PAPER, Reach
from perfkit.augment.policy import PolicyAugment, evenly, numbers
from perfkit.augment.rand_augment import NAMES

_BINS = 31


@keras.saving.register_keras_serializable(package="perfkit")
class TrivialAugmentWide(PolicyAugment):
    """Apply one of fourteen operations at a random strength, chosen per image.

    It has nothing to tune: shears of up to 0.99, translations of up to 32 pixels,
    rotations of up to 135 degrees, factors between 0.01 and 1.99, posterization
    down to 2 bits and any threshold of solarization, in 31 steps of strength.

    Args:
        value_range: `(low, high)` of the pixel values.
        **kwargs: See `PolicyAugment` (`interpolation`, `fill_mode`, `rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.full((4, 8, 8, 3), 100, "uint8")
        >>> TrivialAugmentWide(dtype="uint8")(image).shape == (4, 8, 8, 3)
        True

    Reference: Müller and Hutter, TrivialAugment: Tuning-free Yet State-of-the-Art
        Data Augmentation, 2021, 2103.10158.
    """

    reaches = {  # noqa: RUF012, a constant
        **{
            name: Reach(0.0, 0.99, True)
            for name in (
                "shear_x",
                "shear_y",
                "brightness",
                "contrast",
                "color",
                "sharpness",
            )
        },
        "translate_x": Reach(0.0, 32.0, True),
        "translate_y": Reach(0.0, 32.0, True),
        "rotate": Reach(0.0, 135 / 360, True),
        "posterize": Reach(8.0, 2.0),
        "solarize": PAPER["solarize"],
    }
    pixels = True
    slots = (evenly(NAMES),)

    def __init__(self, value_range=(0, 255), **kwargs):
        super().__init__(value_range=value_range, **kwargs)

    def plan(self, rng):
        choice = rng.deal([1.0 / len(NAMES)] * len(NAMES))
        level = ops.cast(rng.integers(0, _BINS), "float32") / (_BINS - 1)
        return [(numbers(NAMES, choice), level)]
