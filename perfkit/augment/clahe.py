"""Contrast limited adaptive histogram equalization."""

import keras

from perfkit import _check
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import color, histogram, points
from perfkit.ops.host import tones


@keras.saving.register_keras_serializable(package="perfkit")
class CLAHE(PixelAugment):
    """Equalize each image place by place, by the histograms of tiles around it.

    Of RGB the luma is equalized, in whole levels, and colours move along with it:
    further channels stay. One or two channels are equalized each by itself.

    Args:
        value_range: `(low, high)` of the pixel values, of which 256 levels are told
            apart, and where colours are cut off.
        clip_limit: Greatest, or `(low, high)`, of a uniform number drawn per sample: no
            level counts more in a tile than so many times the mean of all levels. A
            number alone is drawn from 1 on. 1 leaves least contrast to gain, 256 is
            no limit. Within [1, 256].
        tile_grid_size: Numbers of tiles from top to bottom and from left to right.
            Within [1, 256].
        data_format: See `Augment`.
        per_channel: Whether each channel is equalized by itself, colours or not.
        seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out. Each frame of
        a video has its own histograms.

    Raises:
        ValueError: If `clip_limit` or `tile_grid_size` is out of bounds.

    Example:
        >>> import numpy as np
        >>> ramp = np.arange(100.0, 132.0).reshape(1, 32, 1)
        >>> clear = CLAHE(clip_limit=(256, 256), tile_grid_size=(1, 1))(ramp)
        >>> np.round(keras.ops.convert_to_numpy(clear)[0, ::8, 0]).tolist()
        [8.0, 72.0, 135.0, 199.0]

    Reference: Zuiderveld, Contrast Limited Adaptive Histogram Equalization, 1994, as
        OpenCV has it. Albumentations equalizes the L of CIELAB; Keras's
        `ContrastLimitedAdaptiveHistogramEqualization` each channel, with one limit,
        and also at inference.
    """

    counts_channels = True
    amplifies = True

    def __init__(
        self,
        value_range=(0, 255),
        clip_limit=4.0,
        tile_grid_size=(8, 8),
        data_format=None,
        *,
        per_channel=False,
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.value_range = _check.value_range("CLAHE", value_range)
        self.clip_limit = _check.reach("CLAHE", "clip_limit", clip_limit, 1.0, 256.0)
        self.tile_grid_size = _check.whole_numbers(
            "CLAHE", "tile_grid_size", tile_grid_size, 2, 1, 256
        )
        self.per_channel = _check.boolean("CLAHE", "per_channel", per_channel)

    def parameters(self, rng):
        return {"clip_limit": rng.uniform(*self.clip_limit)}

    def pixels(self, images, params):
        def equalize(values):
            limit, tiles = params["clip_limit"], self.tile_grid_size
            return histogram.clahe(values, limit, tiles, self.value_range)

        if self.per_channel or images.shape[-1] < 3:
            return equalize(images)

        def change(luma):
            luma = points.whole_levels(luma, self.value_range)
            return equalize(luma) - luma

        return color.map_luma(images, change, self.value_range)

    def of_bytes(self, image, params):
        limit, tiles = params["clip_limit"], self.tile_grid_size
        return tones.clahe(image, limit, tiles, self.per_channel)
