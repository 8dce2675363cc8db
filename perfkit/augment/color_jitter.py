"""Random color jitter."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.ops import color


@keras.saving.register_keras_serializable(package="perfkit")
class RandomColorJitter(ColorAugment):
    """Change brightness, contrast, saturation and hue, in this order, at once.

    Args:
        value_range: `(low, high)` of the pixel values, where results are cut off.
        brightness_factor: As in `RandomBrightness`; `None` leaves it out.
        contrast_factor: As in `RandomContrast`; `None` leaves it out.
        saturation_factor: As in `RandomSaturation`; `None` leaves it out.
        hue_factor: As in `RandomHue`; `None` leaves it out.
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If a factor is out of bounds, or if all are left out.

    Example:
        >>> import numpy as np
        >>> image = np.full((1, 1, 3), 100.0)
        >>> jitter = RandomColorJitter(brightness_factor=(0.2, 0.2))
        >>> np.round(keras.ops.convert_to_numpy(jitter(image))[0, 0]).tolist()
        [151.0, 151.0, 151.0]

    Reference: none (standard). Values are cut off once, at the end.
    """

    def __init__(
        self,
        value_range=(0, 255),
        brightness_factor=None,
        contrast_factor=None,
        saturation_factor=None,
        hue_factor=None,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        owner = "RandomColorJitter"
        self.value_range = _check.value_range(owner, value_range)
        self.brightness_factor = _optional(
            _check.span, owner, "brightness_factor", brightness_factor, -1.0
        )
        self.contrast_factor = _optional(
            _check.margins, owner, "contrast_factor", contrast_factor, 0.0
        )
        self.saturation_factor = _optional(
            _check.reach, owner, "saturation_factor", saturation_factor, 0.0
        )
        self.hue_factor = _optional(_check.reach, owner, "hue_factor", hue_factor, 0.0)

    def _factors(self):
        factors = {
            "brightness": self.brightness_factor,
            "contrast": self.contrast_factor,
            "saturation": self.saturation_factor,
            "hue": self.hue_factor,
        }
        return {name: pair for name, pair in factors.items() if pair is not None}

    def parameters(self, rng):
        params = {}
        for name, (low, high) in self._factors().items():
            if name == "contrast":
                low, high = 1.0 - low, 1.0 + high
            params[name] = rng.uniform(low, high)
            if name == "hue":
                params[name] = params[name] * rng.sign() * 0.5
        return params

    def transform(self, canvas, params, chosen):
        low, high = self.value_range
        maps = {
            "brightness": lambda factor: color.gain(1.0, factor * (high - low)),
            "contrast": lambda factor: color.contrast(factor, canvas.mean()),
            "saturation": lambda factor: color.saturation(color.strength(factor)),
            "hue": color.hue,
        }
        for name, factor in params.items():
            canvas.paint(maps[name](factor), self.value_range, chosen)


def _optional(check, owner, name, value, low):
    return None if value is None else check(owner, name, value, low, 1.0)
