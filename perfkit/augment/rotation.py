"""Random rotation."""

import keras

from perfkit import _check
from perfkit.augment.geometric import WarpAugment, center
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomRotation(WarpAugment):
    """Rotate each image about its centre by a random angle.

    Args:
        factor: Half-width, or `(low, high)`, of the uniform angle, drawn per
            sample. Fraction of a full turn, counter-clockwise. Within [-1, 1].
        fill_mode, interpolation, fill_value: See `WarpAugment`.
        seed, data_format: See `Augment`.
        **kwargs: See `WarpAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
        >>> turned = RandomRotation((0.25, 0.25))(image)
        >>> np.round(keras.ops.convert_to_numpy(turned)[:, :, 0]).tolist()
        [[2.0, 4.0], [1.0, 3.0]]

    Reference: none (standard).
    """

    def __init__(
        self,
        factor,
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
        self.factor = _check.span("RandomRotation", "factor", factor, -1.0, 1.0)

    def parameters(self, rng):
        return {"turns": rng.uniform(*self.factor)}

    def matrix(self, params, height, width):
        return affine.rotation(params["turns"], center(height, width))
