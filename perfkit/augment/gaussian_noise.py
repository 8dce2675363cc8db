"""Gaussian noise."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import noise
from perfkit.ops.host import noise as host


@keras.saving.register_keras_serializable(package="perfkit")
class GaussianNoise(PixelAugment):
    """Add normal noise of random strength to each image.

    Sums are cut off at `value_range`.

    Args:
        stddev: Standard deviation of the noise, or `(low, high)` to draw it from
            uniformly, per sample. Fraction of the value range. Within [0, 1].
            Keras's layer of this name takes it in the unit of the pixels, which is
            the same where they lie within (0, 1).
        value_range: `(low, high)` of the pixel values.
        seed: See `Augment`.
        per_channel: Whether each channel of a pixel gets noise of its own, as
            sensors have it; otherwise all get the same, which keeps greys grey.
        **kwargs: See `PixelAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `stddev` is not an ordered pair within bounds.

    Example:
        >>> import numpy as np
        >>> noisy = GaussianNoise(0.1, seed=1)(np.full((64, 64, 3), 100.0))
        >>> bool(abs(keras.ops.convert_to_numpy(noisy).std() - 25.5) < 1)
        True

    Reference: none (standard). The noise has 65,536 levels and ends at 4.3 standard
        deviations.
    """

    def __init__(
        self,
        stddev=(0.02, 0.1),
        value_range=(0, 255),
        seed=None,
        *,
        per_channel=True,
        **kwargs,
    ):
        super().__init__(seed=seed, **kwargs)
        self.stddev = _check.fixed_or_span("GaussianNoise", "stddev", stddev, 0.0, 1.0)
        self.value_range = _check.value_range("GaussianNoise", value_range)
        self.per_channel = _check.boolean("GaussianNoise", "per_channel", per_channel)

    def parameters(self, rng):
        return {"stddev": rng.uniform(*self.stddev), "bits": rng.bits()}

    def pixels(self, images, params):
        low, high = self.value_range
        _, height, width, channels = ops.shape(images)
        shape = (height, width, channels if self.per_channel else 1)
        field = noise.normal(params["bits"], *shape)
        return ops.clip(images + (high - low) * params["stddev"] * field, low, high)

    def of_bytes(self, image, params):
        height, width, channels = image.shape
        own = channels if self.per_channel else 1
        field = host.normal(params["bits"], height * width * own)
        deviation = self.value_range[1] - self.value_range[0]
        field *= deviation * params["stddev"]
        return host.added(image, field.reshape(height, width, own))
