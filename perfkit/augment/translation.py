"""Random translation."""

import keras

from perfkit import _check
from perfkit.augment.geometric import WarpAugment
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomTranslation(WarpAugment):
    """Shift each image up or down, and left or right.

    Args:
        height_factor: Half-width, or `(low, high)`, of the uniform shift
            downwards, drawn per sample. Fraction of the height. Within [-1, 1].
        width_factor: The same to the right, as a fraction of the width.
        fill_mode, interpolation, fill_value: See `WarpAugment`.
        seed, data_format: See `Augment`.
        **kwargs: See `WarpAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If a factor is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [2.0], [3.0], [4.0]]])
        >>> shifted = RandomTranslation(0.0, (0.25, 0.25), fill_mode="wrap")(image)
        >>> np.round(keras.ops.convert_to_numpy(shifted)[0, :, 0]).tolist()
        [4.0, 1.0, 2.0, 3.0]

    Reference: none (standard).
    """

    def __init__(
        self,
        height_factor,
        width_factor,
        fill_mode="reflect",
        interpolation="bilinear",
        seed=None,
        fill_value=0.0,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            fill_mode=fill_mode,
            interpolation=interpolation,
            seed=seed,
            fill_value=fill_value,
            data_format=data_format,
            **kwargs,
        )
        owner = "RandomTranslation"
        self.height_factor = _check.span(
            owner, "height_factor", height_factor, -1.0, 1.0
        )
        self.width_factor = _check.span(owner, "width_factor", width_factor, -1.0, 1.0)

    def parameters(self, rng):
        return {
            "height": rng.uniform(*self.height_factor),
            "width": rng.uniform(*self.width_factor),
        }

    def matrix(self, params, height, width):
        return affine.translation(params["width"] * width, params["height"] * height)
