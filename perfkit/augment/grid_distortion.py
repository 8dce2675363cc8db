"""Random distortion by a grid."""

import keras

from perfkit import _check
from perfkit.augment.field import FieldAugment
from perfkit.ops import fields, noise


@keras.saving.register_keras_serializable(package="perfkit")
class GridDistortion(FieldAugment):
    """Stretch and squeeze the rows and columns of a grid laid over each image.

    The image is cut into `steps` x `steps` cells, each of which shows a piece of
    another width and height. The edges of the image stay where they are.

    Args:
        steps: Cells along each side. Whole number within [2, 64].
        distort_limit: Half-width, or `(low, high)`, of the uniform change of the width
            of each column and of the height of each row, drawn per sample: 0.3 shows
            1.3 times as much, before all are made to fit the image. Within
            [-0.9, 1].
        interpolation, fill_mode, fill_value: See `WarpAugment`.
        seed, data_format: See `Augment`.
        **kwargs: See `FieldAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `steps` or `distort_limit` is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.tile(np.arange(8.0)[None, :, None], (8, 1, 1))
        >>> ramp = np.array(GridDistortion(2, seed=1)(image))[:, :, 0]
        >>> bool(np.ptp(ramp, axis=0).max() < 1e-4)  # rows stay rows
        True

    Reference: Buslaev et al., Albumentations: Fast and Flexible Image
        Augmentations, 2018, 1809.06839. Sizes are normalized, as there by default.
    """

    def __init__(
        self,
        steps=5,
        distort_limit=0.3,
        interpolation="bilinear",
        fill_mode="reflect",
        fill_value=0.0,
        seed=None,
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
        self.steps = _check.integer("GridDistortion", "steps", steps, 2, 64)
        self.distort_limit = _check.span(
            "GridDistortion", "distort_limit", distort_limit, -0.9, 1.0
        )

    def parameters(self, rng):
        return {"bits": rng.bits()}

    def field(self, params, height, width):
        low, high = self.distort_limit
        share = noise.uniform(params["bits"], 2, self.steps)
        sizes = 1.0 + low + (high - low) * share
        return fields.stretches(sizes[:, 0], sizes[:, 1], height, width)
