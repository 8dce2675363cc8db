"""Channel dropout."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.color import ColorAugment
from perfkit.ops import color, noise


@keras.saving.register_keras_serializable(package="perfkit")
class ChannelDropout(ColorAugment):
    """Replace some channels of each image, never all, by one value.

    Args:
        channel_drop_range: Number of channels replaced, or `(low, high)`, both
            included, to draw it from, per sample. Whole numbers within [1, 4096]; one
            channel is left in any case.
        fill_value: What they are filled with, in the units of the pixel values.
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `channel_drop_range` is not a whole number or an ordered pair
            within bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[20.0, 20.0, 20.0]]])
        >>> dropped = ChannelDropout(2, seed=1)(image)
        >>> sorted(keras.ops.convert_to_numpy(dropped)[0, 0].tolist())
        [0.0, 0.0, 20.0]

    Reference: none (standard).
    """

    counts_channels = True

    def __init__(
        self,
        channel_drop_range=(1, 1),
        fill_value=0.0,
        *,
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        owner = "ChannelDropout"
        self.channel_drop_range = _check.whole_or_span(
            owner, "channel_drop_range", channel_drop_range, 1, 4096
        )
        self.fill_value = _check.number(owner, "fill_value", fill_value)

    def parameters(self, rng):
        low, high = self.channel_drop_range
        return {"bits": rng.bits(), "count": rng.integers(low, high + 1)}

    def color(self, params):
        channels = params["channels"]
        order = ops.argsort(noise.uniform(params["bits"], channels), axis=1)
        rank = ops.argsort(order, axis=1)
        count = ops.minimum(params["count"], channels - 1)[:, None]
        return color.replacement(ops.cast(rank, "int32") < count, self.fill_value)
