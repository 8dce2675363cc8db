"""Resizing."""

import keras

from perfkit import _check
from perfkit.augment.geometric import GeometricAugment
from perfkit.ops import resize, windows
from perfkit.ops.warp import INTERPOLATIONS


@keras.saving.register_keras_serializable(package="perfkit")
class Resizing(GeometricAugment):
    """Resize images to a given height and width.

    It works at inference too. Bilinear and nearest resizing fuse with the
    geometric operations beside it; the others, antialiasing, and bilinear resizing
    with padding are a step of their own.

    Args:
        height: Height of the output, in pixels. At least 1.
        width: Width of the output, in pixels. At least 1.
        interpolation: `"nearest"`, `"bilinear"`, `"bicubic"`, `"lanczos3"` or
            `"lanczos5"`.
        crop_to_aspect_ratio: Whether to cut off what does not fit the aspect of
            the output, rather than to distort.
        pad_to_aspect_ratio: Whether to pad evenly to the aspect of the output,
            rather than to distort.
        fill_mode: `"constant"`, for the padding.
        fill_value: Pixel value of the padding.
        antialias: Whether to filter when shrinking.
        data_format: See `Augment`.
        **kwargs: See `GeometricAugment` (`bounding_box_format`, ...).

    Shape:
        `(batch, image height, image width, channels)` or one image; `(batch,
        height, width, channels)` out.

    Raises:
        ValueError: If a size or a name is out of bounds, or if both cropping and
            padding are asked for.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [3.0]]])
        >>> keras.ops.convert_to_numpy(Resizing(1, 4)(image))[0, :, 0].tolist()
        [1.0, 1.5, 2.5, 3.0]

    Reference: Keys, Cubic Convolution Interpolation for Digital Image Processing,
        1981, with a = -0.5. Where Keras cannot pad evenly it leaves out a row or
        column; here it is at the end. At the edge of a cropped window, bilinear
        enlarging sees the pixels beside it; Keras and `on_host` repeat the last one.
    """

    random = False

    def __init__(
        self,
        height,
        width,
        interpolation="bilinear",
        crop_to_aspect_ratio=False,
        pad_to_aspect_ratio=False,
        fill_mode="constant",
        fill_value=0.0,
        antialias=False,
        data_format=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, **kwargs)
        owner = "Resizing"
        self.height = _check.integer(owner, "height", height)
        self.width = _check.integer(owner, "width", width)
        self.interpolation = _check.one_of(
            owner, "interpolation", interpolation, {*INTERPOLATIONS, *resize.KERNELS}
        )
        self.crop_to_aspect_ratio = _check.boolean(
            owner, "crop_to_aspect_ratio", crop_to_aspect_ratio
        )
        self.pad_to_aspect_ratio = _check.boolean(
            owner, "pad_to_aspect_ratio", pad_to_aspect_ratio
        )
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            _check.fail(
                owner,
                "pad_to_aspect_ratio",
                "False when crop_to_aspect_ratio is True",
                pad_to_aspect_ratio,
            )
        self.fill_mode = _check.one_of(owner, "fill_mode", fill_mode, ("constant",))
        self.fill_value = _check.number(owner, "fill_value", fill_value)
        self.antialias = _check.boolean(owner, "antialias", antialias)

    def output_size(self, height, width):
        return self.height, self.width

    def matrix(self, params, height, width):
        top, left, window_height, window_width = self._window(height, width)
        return windows.show(
            left, top, window_width, window_height, self.width, self.height
        )

    def transform(self, canvas, params, chosen):
        padded = self.pad_to_aspect_ratio
        matrix = self.matrix({}, *canvas.extent)
        size = self.output_size(*canvas.size)
        fill_mode = self.fill_mode if padded else None
        sampling = self.sampling(canvas)._replace(fill_mode=fill_mode)
        if self.interpolation == "nearest" or (
            self.interpolation == "bilinear" and not self.antialias and not padded
        ):
            canvas.move(matrix, size, sampling)
            return
        rows, columns = canvas.size
        top, left, height, width = self._window(*canvas.extent)
        tallest, widest = rows, columns
        if padded:
            tallest = rows + columns * self.height // self.width
            widest = columns + rows * self.width // self.height
        how = self.interpolation, self.antialias
        vertical = resize.weights(self.height, rows, top, height, tallest, *how)
        horizontal = resize.weights(self.width, columns, left, width, widest, *how)
        canvas.redraw(
            lambda images: resize.resize(images, vertical, horizontal, self.fill_value),
            matrix,
            size,
            sampling,
        )

    def _window(self, height, width):
        """Top, left, height and width of what is shown, in whole pixels."""
        target = self.height, self.width
        if self.crop_to_aspect_ratio:
            return windows.largest_whole(height, width, *target)
        if self.pad_to_aspect_ratio:
            return windows.smallest_whole(height, width, *target)
        return 0.0, 0.0, height, width
