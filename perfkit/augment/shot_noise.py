"""Shot noise."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import noise, points
from perfkit.ops.host import colors
from perfkit.ops.host import noise as host


@keras.saving.register_keras_serializable(package="perfkit")
class ShotNoise(PixelAugment):
    """Count each value in photons, which arrive at random, as in dim light.

    A value of `n` photons becomes a Poisson number of mean `n`, for each channel by
    itself: brighter pixels have more noise, and black stays black. Values are cut
    off at `value_range`.

    Args:
        scale: What one photon adds, or `(low, high)` to draw it from uniformly, per
            sample. Fraction of the value range. Within [0.0001, 1]. The variance at
            a fraction `x` of the range is `scale * x`.
        value_range: `(low, high)` of the pixel values, of which 256 levels are told
            apart; `low` is no photon at all.
        seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `scale` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> noisy = ShotNoise(0.01, (0, 1), seed=1)(np.full((64, 64, 3), 0.25))
        >>> bool(abs(keras.ops.convert_to_numpy(noisy).var() - 0.0025) < 1e-4)
        True

    Reference: Hendrycks and Dietterich, Benchmarking Neural Network Robustness to
        Common Corruptions and Perturbations, 2019, 1903.12261, where one photon is
        1/60 to 1/3.
    """

    def __init__(self, scale=(0.02, 0.2), value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.scale = _check.fixed_or_span("ShotNoise", "scale", scale, 1e-4, 1.0)
        self.value_range = _check.value_range("ShotNoise", value_range)

    def parameters(self, rng):
        return {"scale": rng.uniform(*self.scale), "bits": rng.bits()}

    def pixels(self, images, params):
        low, high = self.value_range
        scale = params["scale"] * (high - low)
        levels = points.whole_levels(images, self.value_range)
        photons = (levels - low) * (1.0 / scale)
        return ops.minimum(low + noise.poisson(params["bits"], photons) * scale, high)

    def of_bytes(self, image, params):
        low, high = self.value_range
        scale = params["scale"] * (high - low)
        photons = host.poisson(params["bits"], image, np.arange(256) * (1.0 / scale))
        return colors.whole(np.minimum(photons * scale, high))
