"""Random Gaussian blur."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import blur
from perfkit.ops.host import filters as host


@keras.saving.register_keras_serializable(package="perfkit")
class RandomGaussianBlur(PixelAugment):
    """Blur each image by a Gaussian of random width.

    The border is mirrored in the outermost pixels, so that it keeps its brightness.

    Args:
        factor: Probability that a sample is changed, or `(low, high)` to draw that
            probability from, per sample. Within [0, 1]. Keras takes a number as
            `(0, factor)`, so that its 1.0 changes every second image.
        kernel_size: Height and width of the kernel, or both in this order, in
            pixels. Odd, within [1, 101]. About six times the largest `sigma` cuts
            nothing off.
        sigma: Largest, or `(low, high)`, of the uniform standard deviation, in
            pixels, drawn per sample. Within [0, 100]. Keras draws one per axis and
            batch, and none above 1.
        value_range: `(low, high)` of the pixel values. Blurred images are cut off
            there.
        data_format, seed: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `factor` or `sigma` is not an ordered pair within bounds, or
            `kernel_size` is not odd.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [0.0], [100.0], [0.0], [0.0]]])
        >>> blurred = RandomGaussianBlur(sigma=(0.8, 0.8))(image)
        >>> np.round(keras.ops.convert_to_numpy(blurred)[0, :, 0]).tolist()
        [0.0, 24.0, 52.0, 24.0, 0.0]

    Reference: none (standard).
    """

    def __init__(
        self,
        factor=1.0,
        kernel_size=3,
        sigma=1.0,
        value_range=(0, 255),
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(data_format=data_format, seed=seed, **kwargs)
        owner = "RandomGaussianBlur"
        self.factor = _check.fixed_or_span(owner, "factor", factor, 0.0, 1.0)
        self.kernel_size = _check.odd_sizes(owner, "kernel_size", kernel_size, 1, 101)
        self.sigma = _check.reach(owner, "sigma", sigma, 0.0, 100.0)
        self.value_range = _check.value_range(owner, value_range)

    def parameters(self, rng):
        blurred = rng.bernoulli(rng.uniform(*self.factor))
        return {"blurred": blurred, "sigma": rng.uniform(*self.sigma)}

    def pixels(self, images, params):
        blurred = blur.gaussian(images, params["sigma"], self.kernel_size)
        return ops.where(
            params["blurred"], ops.clip(blurred, *self.value_range), images
        )

    def of_bytes(self, image, params):
        if not params["blurred"]:
            return image
        return host.gaussian(image, params["sigma"], self.kernel_size)
