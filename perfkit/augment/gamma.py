"""Random gamma."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment


@keras.saving.register_keras_serializable(package="perfkit")
class RandomGamma(PixelAugment):
    """Raise pixel values to a random power: below 1 brightens, above 1 darkens.

    Values are cut off at `value_range`, whose ends stay where they are.

    Args:
        factor: Half-width around 1, or `(low, high)`, of the uniform exponent, drawn
            per sample. Within [0.1, 10].
        value_range: `(low, high)` of the pixel values.
        seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [0.5], [1.0]]])
        >>> darker = RandomGamma((2.0, 2.0), value_range=(0, 1))(image)
        >>> keras.ops.convert_to_numpy(darker)[0, :, 0].tolist()
        [0.0, 0.25, 1.0]

    Reference: none (standard).
    """

    pointwise = True

    def __init__(self, factor, value_range=(0, 255), seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.factor = _check.span("RandomGamma", "factor", factor, 0.1, 10.0, 1.0)
        self.value_range = _check.value_range("RandomGamma", value_range)

    def parameters(self, rng):
        return {"factor": rng.uniform(*self.factor)}

    def pixels(self, images, params):
        low, high = self.value_range
        share = ops.clip((images - low) / (high - low), 0.0, 1.0)
        return low + (high - low) * ops.power(share, params["factor"])
