"""Random shear."""

import keras

from perfkit import _check
from perfkit.augment.geometric import WarpAugment, center
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomShear(WarpAugment):
    """Shear each image about its centre, to a random side.

    Keras shears about the corner, which moves the image as well.

    Args:
        x_factor: Greatest, or `(low, high)`, shift of a row per row of distance
            from the centre, drawn per sample, to a side drawn per sample. Within
            [0, 1].
        y_factor: The same for columns.
        fill_mode, interpolation, fill_value: See `WarpAugment`.
        seed, data_format: See `Augment`.
        **kwargs: See `WarpAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If a factor is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])[:, :, None]
        >>> shear = RandomShear((1.0, 1.0), fill_mode="constant", seed=1)
        >>> np.round(keras.ops.convert_to_numpy(shear(image))[:, :, 0]).tolist()
        [[2.0, 0.0], [3.0, 4.0], [0.0, 5.0]]

    Reference: none (standard).
    """

    def __init__(
        self,
        x_factor=0.0,
        y_factor=0.0,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        data_format=None,
        seed=None,
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
        self.x_factor = _check.reach("RandomShear", "x_factor", x_factor, 0.0, 1.0)
        self.y_factor = _check.reach("RandomShear", "y_factor", y_factor, 0.0, 1.0)

    def parameters(self, rng):
        return {
            "x": rng.sign() * rng.uniform(*self.x_factor),
            "y": rng.sign() * rng.uniform(*self.y_factor),
        }

    def matrix(self, params, height, width):
        return affine.shear(params["x"], params["y"], center(height, width))
