"""Random tone curve."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.pixel import PixelAugment
from perfkit.ops import noise, points


@keras.saving.register_keras_serializable(package="perfkit")
class ToneCurve(PixelAugment):
    """Bend the values of each image along a random rising curve.

    The curve is a cubic Bezier curve whose ends stay. Values are cut off at
    `value_range`.

    Args:
        scale: Standard deviation of the heights of both inner control points about 1/3
            and 2/3 of the range, where they change nothing, drawn per sample.
            Fraction of the range. Within [0, 1].
        value_range: `(low, high)` of the pixel values.
        per_channel: Whether each channel has a curve of its own.
        seed, data_format: See `Augment`.
        **kwargs: See `PixelAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `scale` is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[0.0], [100.0], [200.0], [255.0]]])
        >>> bent = keras.ops.convert_to_numpy(ToneCurve(seed=1)(image))[0, :, 0]
        >>> bool(bent[0] == 0.0 and bent[3] == 255.0 and bent[1] < bent[2])
        True

    Reference: Afifi and Brown, What Else Can Fool Deep Learning?, 2019,
        arXiv:1912.06960, as Albumentations' `RandomToneCurve` has it. There the
        heights are about 1/4 and 3/4, which adds contrast on average, and may change
        places, by which values change their order.
    """

    pointwise = True

    def __init__(
        self,
        scale=0.1,
        value_range=(0, 255),
        *,
        per_channel=False,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.scale = _check.unit("ToneCurve", "scale", scale)
        self.value_range = _check.value_range("ToneCurve", value_range)
        self.per_channel = _check.boolean("ToneCurve", "per_channel", per_channel)
        self.counts_channels = self.per_channel

    def parameters(self, rng):
        return {"bits": rng.bits()}

    def pixels(self, images, params):
        curves = images.shape[-1] if self.per_channel else 1
        neutral = ops.reshape(ops.arange(2, dtype="float32") + 1.0, (2, 1, 1, 1)) / 3.0
        heights = neutral + self.scale * noise.normal(params["bits"], 2, 1, 1, curves)
        heights = ops.clip(heights, 0.0, 1.0)
        # A reduction: XLA computes it once, not anew for each pixel.
        dark, light = ops.min(heights, axis=1), ops.max(heights, axis=1)
        return points.tone_curve(images, dark, light, self.value_range)
