"""Random colour of light."""

import keras

from perfkit import _check
from perfkit.augment.color import ColorAugment
from perfkit.ops import color, illuminants


@keras.saving.register_keras_serializable(package="perfkit")
class RandomPlanckian(ColorAugment):
    """Light each image by a black body of a random temperature.

    Red and blue are scaled, green is kept. At 6,500 K, the white of sRGB, nothing
    changes; candlelight of 2,000 K is warm, shade of 10,000 K is cold.

    Args:
        kelvin: Temperature, or `(low, high)`, in kelvin, drawn per sample, uniform in
            its reciprocal, by which equal steps look alike. Within [2000, 40000].
        value_range: `(low, high)` of the pixel values, where results are cut off.
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `kelvin` is not a number or an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> grey = np.full((1, 1, 3), 100.0)
        >>> warm = RandomPlanckian(3000)(grey)
        >>> np.round(keras.ops.convert_to_numpy(warm)[0, 0]).tolist()
        [135.0, 100.0, 58.0]

    Reference: Zini et al., Planckian Jitter, 2022, arXiv:2202.07993. Gains follow from
        Planck's law and the colour matching functions of CIE 1931, for values with a
        gamma of 2.2; the paper scales such values by gains of linear ones, and
        draws temperatures uniformly.
    """

    def __init__(
        self,
        kelvin=(3000, 15000),
        value_range=(0, 255),
        *,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        owner = "RandomPlanckian"
        self.kelvin = _check.fixed_or_span(owner, "kelvin", kelvin, 2000.0, 40000.0)
        self.value_range = _check.value_range(owner, value_range)

    def parameters(self, rng):
        low, high = self.kelvin
        return {"kelvin": 1.0 / rng.uniform(1.0 / high, 1.0 / low)}

    def color(self, params):
        gains = color.gains(illuminants.planckian_gains(params["kelvin"]))
        return color.from_black(gains, self.value_range[0])
