"""Random resized crop."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.geometric import GeometricAugment
from perfkit.ops import windows
from perfkit.ops.warp import INTERPOLATIONS


@keras.saving.register_keras_serializable(package="perfkit")
class RandomResizedCrop(GeometricAugment):
    """Cut a window of random area and aspect out of each image, and resize it.

    Area, aspect and place are drawn per sample, in whole pixels. At inference it is
    the largest window in the middle that has the aspect of the output.

    Args:
        height: Height of the output, in pixels. At least 1.
        width: Width of the output, in pixels. At least 1.
        scale: `(low, high)` of the window's area, uniform. Fraction of the
            image's area. Within (0, 1].
        ratio: `(low, high)` of the window's width over its height, uniform in its
            logarithm. Within [0.01, 100].
        interpolation: `"bilinear"` or `"nearest"`, for images.
        seed, data_format: See `Augment`.
        **kwargs: See `GeometricAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, image height, image width, channels)` or one image; `(batch,
        height, width, channels)` out.

    Raises:
        ValueError: If a size, `scale` or `ratio` is out of bounds.

    Example:
        >>> import numpy as np
        >>> images = np.zeros((2, 40, 60, 3), "uint8")
        >>> RandomResizedCrop(24, 24)(images).shape == (2, 24, 24, 3)
        True

    Reference: Szegedy et al., Going Deeper with Convolutions, 2014, 1409.4842. The
        aspect is drawn among those that fit the area drawn; the usual code draws
        both again, up to ten times.
    """

    def __init__(
        self,
        height,
        width,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        owner = "RandomResizedCrop"
        self.height = _check.integer(owner, "height", height)
        self.width = _check.integer(owner, "width", width)
        self.scale = _check.pair(owner, "scale", scale, 1e-6, 1.0)
        self.ratio = _check.pair(owner, "ratio", ratio, 0.01, 100.0)
        self.interpolation = _check.one_of(
            owner, "interpolation", interpolation, INTERPOLATIONS
        )

    def parameters(self, rng):
        return {
            "area": rng.uniform(*self.scale),
            "aspect": rng.uniform(),
            "x": rng.uniform(),
            "y": rng.uniform(),
        }

    def at_inference(self, batch):
        half = ops.zeros((batch,), "float32") + 0.5
        return {"x": half, "y": half}

    def matrix(self, params, height, width):
        if "area" in params:
            window = windows.of_area(
                params["area"], params["aspect"], self.ratio, height, width
            )
        else:
            window = windows.largest(self.width / self.height, height, width)
        tall, wide = [ops.maximum(ops.round(side), 1.0) for side in window]
        left, top = [
            ops.floor(params[name] * (room + 1.0))
            for name, room in (("x", width - wide), ("y", height - tall))
        ]
        return windows.show(left, top, wide, tall, self.width, self.height)

    def output_size(self, height, width):
        return self.height, self.width
