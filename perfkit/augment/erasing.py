"""Random erasing."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.drop import DropAugment
from perfkit.ops import dropping

_PLACE = ("y", "x", "tall", "wide")


@keras.saving.register_keras_serializable(package="perfkit")
class RandomErasing(DropAugment):
    """Replace a random rectangle of each image.

    Args:
        factor: Probability that a sample is changed, or `(low, high)` to draw that
            probability from, per sample. Within [0, 1]. Keras takes a number as
            `(0, factor)`, so that its 1.0 changes every second image.
        scale: Largest, or `(low, high)`, of the area of the rectangle, drawn per
            sample. Fraction of the image's, within [0, 1]. Height and width are, of
            the image's, each the square root of a uniform number in this range,
            rounded to whole pixels, at least one.
        fill_value: See `DropAugment`; `None` stands for `"noise"`. Keras's noise is
            normal with the deviation of the largest value, then cut off, so that
            half of it is black.
        value_range: `(low, high)` of the pixel values.
        seed, data_format: See `Augment`.
        **kwargs: See `DropAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` or `scale` is not an ordered pair within bounds, or
            `fill_value` none of what it may be.

    Example:
        >>> import numpy as np
        >>> image = np.ones((1, 4, 1))
        >>> erased = RandomErasing(scale=(0.25, 0.25), fill_value=7.0, seed=1)(image)
        >>> np.sort(keras.ops.convert_to_numpy(erased)[0, :, 0]).tolist()
        [1.0, 1.0, 7.0, 7.0]

    Reference: Zhong et al., Random Erasing Data Augmentation, 2017, 1708.04896, which
        draws area and aspect, and not the sides.
    """

    def __init__(
        self,
        factor=1.0,
        scale=(0.02, 0.33),
        fill_value=None,
        value_range=(0, 255),
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(
            fill_value="noise" if fill_value is None else fill_value,
            value_range=value_range,
            seed=seed,
            data_format=data_format,
            **kwargs,
        )
        self.factor = _check.fixed_or_span("RandomErasing", "factor", factor, 0.0, 1.0)
        self.scale = _check.reach("RandomErasing", "scale", scale, 0.0, 1.0)

    def parameters(self, rng):
        return {
            "erased": rng.bernoulli(rng.uniform(*self.factor)),
            "tall": ops.sqrt(rng.uniform(*self.scale)),
            "wide": ops.sqrt(rng.uniform(*self.scale)),
            "y": rng.uniform(),
            "x": rng.uniform(),
        }

    def dropped(self, params, height, width):
        y, x, tall, wide = [params[name][:, :, 0, 0] for name in _PLACE]
        inside = dropping.rectangle(y, x, tall, wide, height, width)
        return params["erased"] & inside

    def rectangles(self, params, height, width):
        y, x, tall, wide = [params[name][:, None] for name in _PLACE]
        ends = dropping.rectangle_ends(y, x, tall, wide, height, width)
        ends = np.stack([*ends[0], *ends[1]], axis=-1)
        return ends.astype("int64"), params["erased"].astype("int64")
