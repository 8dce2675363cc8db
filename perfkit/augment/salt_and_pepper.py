"""Salt and pepper noise."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import noise
from perfkit.ops.host import noise as host


@keras.saving.register_keras_serializable(package="perfkit")
class SaltAndPepper(PixelAugment):
    """Turn random pixels of each image white or black.

    Args:
        amount: Fraction of the pixels that are changed, or `(low, high)` to draw it
            from uniformly, per sample. Within [0, 1].
        salt: Fraction of the changed pixels that turn white, or `(low, high)` to
            draw it from uniformly, per sample. Within [0, 1].
        value_range: `(low, high)` of the pixel values: black and white.
        seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `amount` or `salt` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.full((2, 2, 1), 100.0)
        >>> white = SaltAndPepper(amount=1.0, salt=1.0)(image)
        >>> keras.ops.convert_to_numpy(white)[..., 0].tolist()
        [[255.0, 255.0], [255.0, 255.0]]

    Reference: none (standard).
    """

    writes = True

    def __init__(
        self,
        amount=(0.01, 0.06),
        salt=(0.4, 0.6),
        value_range=(0, 255),
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.amount = _check.fixed_or_span("SaltAndPepper", "amount", amount, 0.0, 1.0)
        self.salt = _check.fixed_or_span("SaltAndPepper", "salt", salt, 0.0, 1.0)
        self.value_range = _check.value_range("SaltAndPepper", value_range)

    def parameters(self, rng):
        amount = rng.uniform(*self.amount)
        return {
            "changed": amount,
            "white": amount * rng.uniform(*self.salt),
            "bits": rng.bits(),
        }

    def pixels(self, images, params):
        black, white = self.value_range
        _, height, width, _ = ops.shape(images)
        chance = noise.uniform(params["bits"], height, width, 1)
        grain = ops.where(chance < params["white"], white, black)
        return ops.where(chance < params["changed"], grain, images)

    def of_bytes(self, image, params):
        height, width, _ = image.shape
        chance = host.uniform(params["bits"], np.arange(height * width))
        grain = np.flatnonzero(chance < params["changed"])
        black, white = self.value_range
        pixels = image.reshape(height * width, -1)
        pixels[grain] = np.where(chance[grain] < params["white"], white, black)[:, None]
        return image
