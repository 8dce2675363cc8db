"""Downscaling."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import downscale
from perfkit.ops.host import colors
from perfkit.ops.host import filters as host
from perfkit.ops.resize import KERNELS


@keras.saving.register_keras_serializable(package="perfkit")
class Downscale(PixelAugment):
    """Reduce each image to a random size and enlarge it again, so that detail is lost.

    Args:
        scale: Height and width of the reduced image, or `(low, high)` to draw it
            from uniformly, per sample. Fraction of the image's, rounded to whole
            pixels, at least one. Within [0.01, 1].
        interpolation: `"nearest"`, which leaves blocks, `"bilinear"`, `"bicubic"`,
            `"lanczos3"` or `"lanczos5"`, for both ways; all but the first average
            over what becomes one pixel.
        value_range: `(low, high)` of the pixel values. They are cut off there, which
            bicubic and Lanczos overshoot.
        seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `scale` is not an ordered pair within bounds, or
            `interpolation` is none of the names.

    Example:
        >>> import numpy as np
        >>> image = np.arange(6.0).reshape(1, 6, 1)
        >>> blocks = Downscale(scale=1 / 3)(image)
        >>> keras.ops.convert_to_numpy(blocks)[0, :, 0].tolist()
        [1.0, 1.0, 1.0, 4.0, 4.0, 4.0]

    Reference: none (standard).
    """

    def __init__(
        self,
        scale=(0.25, 0.5),
        interpolation="nearest",
        value_range=(0, 255),
        seed=None,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.scale = _check.fixed_or_span("Downscale", "scale", scale, 0.01, 1.0)
        self.interpolation = _check.one_of(
            "Downscale", "interpolation", interpolation, ["nearest", *KERNELS]
        )
        self.value_range = _check.value_range("Downscale", value_range)

    def parameters(self, rng):
        return {"scale": rng.uniform(*self.scale)}

    def pixels(self, images, params):
        if self.interpolation == "nearest":
            coarse = downscale.nearest(images, params["scale"])
        else:
            coarse = downscale.filtered(images, params["scale"], self.interpolation)
        return ops.clip(coarse, *self.value_range)

    def prepare(self, params, height, width):
        return {
            "height": downscale.reduced(params["scale"], height),
            "width": downscale.reduced(params["scale"], width),
        }

    def of_bytes(self, image, params):
        if self.interpolation == "nearest":
            return host.nearest(image, params["height"], params["width"])
        scale = np.reshape(params["scale"], (1, 1, 1, 1))
        return colors.whole(
            self.pixels(image[None].astype("float32"), {"scale": scale})
        )
