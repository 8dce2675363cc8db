"""Resizing into a frame without distortion."""

import keras

from perfkit import _check
from perfkit.augment.geometric import GeometricAugment
from perfkit.ops import windows
from perfkit.ops.warp import INTERPOLATIONS


@keras.saving.register_keras_serializable(package="perfkit")
class LetterBox(GeometricAugment):
    """Scale each image to fit into a frame, and fill the two rims that are left.

    The image keeps its aspect and lies in the middle. It works at inference too.
    Unlike `Resizing(pad_to_aspect_ratio=True)` it is one homography, so that in a
    `Pipeline` it costs no resample of its own; a bilinear one blends the outermost
    pixels of the image with the rim.

    Args:
        height: Height of the frame, in pixels. At least 1.
        width: Width of the frame, in pixels. At least 1.
        fill_value: Pixel value of the rims.
        interpolation: `"bilinear"` or `"nearest"`, for images.
        data_format: See `Augment`.
        mask_fill_value: The same as `fill_value`, for masks.
        **kwargs: See `GeometricAugment` (`bounding_box_format`, ...).

    Shape:
        `(batch, image height, image width, channels)` or one image; `(batch,
        height, width, channels)` out.

    Raises:
        ValueError: If a size is not a whole number of at least 1.

    Example:
        >>> import numpy as np
        >>> image = np.ones((1, 2, 1))
        >>> framed = LetterBox(2, 2, fill_value=7.0, interpolation="nearest")(image)
        >>> keras.ops.convert_to_numpy(framed)[:, :, 0].tolist()
        [[1.0, 1.0], [7.0, 7.0]]

    Reference: Redmon and Farhadi, YOLOv3: An Incremental Improvement, 2018,
        1804.02767, in whose code it has this name.
    """

    random = False
    fill_mode = "constant"

    def __init__(
        self,
        height,
        width,
        fill_value=0.0,
        interpolation="bilinear",
        data_format=None,
        *,
        mask_fill_value=0.0,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        owner = "LetterBox"
        self.height = _check.integer(owner, "height", height)
        self.width = _check.integer(owner, "width", width)
        self.fill_value = _check.number(owner, "fill_value", fill_value)
        self.mask_fill_value = _check.number(owner, "mask_fill_value", mask_fill_value)
        self.interpolation = _check.one_of(
            owner, "interpolation", interpolation, INTERPOLATIONS
        )

    def matrix(self, params, height, width):
        return windows.fit(height, width, self.height, self.width)

    def output_size(self, height, width):
        return self.height, self.width
