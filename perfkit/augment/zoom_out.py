"""Random zoom out."""

import keras

from perfkit import _check
from perfkit.augment.geometric import WarpAugment
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomZoomOut(WarpAugment):
    """Place each image at random on a larger filled canvas, and scale that back.

    Objects become smaller, and are seen at any place: for detectors.

    Args:
        scale: `(low, high)` of the sides of the canvas, as multiples of those of the
            image, uniform, drawn per sample. A number is the upper end. Within
            [1, 100].
        fill_mode, interpolation, fill_value: See `WarpAugment`.
        seed, data_format: See `Augment`.
        **kwargs: See `WarpAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `scale` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.full((4, 4, 1), 9.0)
        >>> smaller = RandomZoomOut((2.0, 2.0), interpolation="nearest")(image)
        >>> keras.ops.convert_to_numpy(smaller).sum().tolist()  # 2 x 2 pixels
        36.0

    Reference: Liu et al., SSD: Single Shot MultiBox Detector, 2015, 1512.02325. The
        size of the output stays; the paper resizes later, and zooms out every second
        image: here that is `rate=0.5`.
    """

    def __init__(
        self,
        scale=(1.0, 4.0),
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
        self.scale = _check.reach("RandomZoomOut", "scale", scale, 1.0, 100.0)

    def parameters(self, rng):
        return {
            "scale": rng.uniform(*self.scale),
            "x": rng.uniform(),
            "y": rng.uniform(),
        }

    def matrix(self, params, height, width):
        share = 1.0 / params["scale"]
        place = affine.translation(
            params["x"] * (1.0 - share) * width, params["y"] * (1.0 - share) * height
        )
        return affine.compose(place, affine.scaling(share, share))
