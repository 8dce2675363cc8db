"""Random perspective."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.geometric import WarpAugment
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomPerspective(WarpAugment):
    """Move the four corners of each image independently.

    Args:
        factor: Probability that a sample is changed, or `(low, high)` to draw that
            probability from, per sample. Within [0, 1]. Keras takes a number as
            `(0, factor)`, so that its 1.0 changes every second image.
        scale: Greatest shift of a corner, times a quarter of the height and of the
            width. Within [0, 1]. Keras lets corners go twice as far, where the
            image may fold over, and its top left corner not at all.
        fill_mode, interpolation, fill_value: See `WarpAugment`.
        seed, data_format: See `Augment`.
        **kwargs: See `WarpAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` or `scale` is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.full((8, 8, 1), 7.0)
        >>> tilted = RandomPerspective(scale=0.5, seed=1)(image)
        >>> diagonal = keras.ops.convert_to_numpy(tilted).diagonal()[0]
        >>> [bool(value < 6.9) for value in diagonal[[0, 4, 7]]]  # corners moved in
        [True, False, True]

    Reference: Heckbert, Fundamentals of Texture Mapping and Image Warping, 1989.
    """

    affine = False

    def __init__(
        self,
        factor=1.0,
        scale=1.0,
        interpolation="bilinear",
        fill_value=0.0,
        seed=None,
        data_format=None,
        *,
        fill_mode="constant",
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
        self.factor = _check.fixed_or_span(
            "RandomPerspective", "factor", factor, 0.0, 1.0
        )
        self.scale = _check.unit("RandomPerspective", "scale", scale)

    def parameters(self, rng):
        moved = ops.cast(rng.bernoulli(rng.uniform(*self.factor)), "float32")
        reach = moved * (0.25 * self.scale)
        names = ("top_left", "top_right", "bottom_right", "bottom_left")
        return {
            f"{name}_{axis}": reach * rng.uniform(-1.0, 1.0)
            for name in names
            for axis in "xy"
        }

    def matrix(self, params, height, width):
        places = {
            "top_left": (0.0, 0.0),
            "top_right": (1.0, 0.0),
            "bottom_right": (1.0, 1.0),
            "bottom_left": (0.0, 1.0),
        }
        corners = [
            ops.stack(
                [(x + params[f"{name}_x"]) * width, (y + params[f"{name}_y"]) * height],
                axis=-1,
            )
            for name, (x, y) in places.items()
        ]
        return affine.quadrilateral(ops.stack(corners, axis=1), height, width)
