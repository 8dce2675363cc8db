"""Random affine map."""

import keras

from perfkit import _check
from perfkit.augment.geometric import WarpAugment, center
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomAffine(WarpAugment):
    """Rotate, zoom, shear and shift each image, in one resample.

    The factors are those of `RandomRotation`, `RandomZoom`, `RandomShear` and
    `RandomTranslation`, applied in this order. All are drawn per sample.

    Args:
        rotation_factor: Half-width, or `(low, high)`, of the angle. Fraction of a
            full turn, counter-clockwise. Within [-1, 1].
        zoom_factor: Half-width, or `(low, high)`, of the change of what is seen;
            positive zooms out. Within [-0.99, 1].
        shear_factor: Greatest, or `(low, high)`, horizontal shear, to a random
            side. Within [0, 1].
        height_factor: Half-width, or `(low, high)`, of the shift downwards.
            Fraction of the height. Within [-1, 1].
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
        >>> image = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
        >>> half_turn = RandomAffine(rotation_factor=(0.5, 0.5))(image)
        >>> np.round(keras.ops.convert_to_numpy(half_turn)[:, :, 0]).tolist()
        [[4.0, 3.0], [2.0, 1.0]]

    Reference: none (standard).
    """

    def __init__(
        self,
        rotation_factor=0.0,
        zoom_factor=0.0,
        shear_factor=0.0,
        height_factor=0.0,
        width_factor=0.0,
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

        def span(name, value, low=-1.0):
            return _check.span("RandomAffine", name, value, low, 1.0)

        self.rotation_factor = span("rotation_factor", rotation_factor)
        self.zoom_factor = span("zoom_factor", zoom_factor, -0.99)
        self.shear_factor = _check.reach(
            "RandomAffine", "shear_factor", shear_factor, 0.0, 1.0
        )
        self.height_factor = span("height_factor", height_factor)
        self.width_factor = span("width_factor", width_factor)

    def parameters(self, rng):
        return {
            "turns": rng.uniform(*self.rotation_factor),
            "zoom": rng.uniform(*self.zoom_factor),
            "shear": rng.sign() * rng.uniform(*self.shear_factor),
            "height": rng.uniform(*self.height_factor),
            "width": rng.uniform(*self.width_factor),
        }

    def matrix(self, params, height, width):
        middle = center(height, width)
        scale = 1.0 / (1.0 + params["zoom"])
        moves = [
            affine.scaling(scale, scale, middle),
            affine.shear(params["shear"], 0.0, middle),
            affine.translation(params["width"] * width, params["height"] * height),
        ]
        matrix = affine.rotation(params["turns"], middle)
        for move in moves:
            matrix = affine.compose(move, matrix)
        return matrix
