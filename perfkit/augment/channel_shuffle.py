"""Channel shuffle."""

import keras

from perfkit._backend import ops
from perfkit.augment.color import ColorAugment
from perfkit.ops import color, noise


@keras.saving.register_keras_serializable(package="perfkit")
class ChannelShuffle(ColorAugment):
    """Put the channels of each image, all of them, in a random order.

    Args:
        seed, data_format: See `Augment`.
        **kwargs: See `ColorAugment` (`rate`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[10.0, 20.0, 30.0]]])
        >>> shuffled = ChannelShuffle(seed=1)(image)
        >>> sorted(keras.ops.convert_to_numpy(shuffled)[0, 0].tolist())
        [10.0, 20.0, 30.0]

    Reference: none (standard). Every order is as likely, the one there is included.
    """

    counts_channels = True

    def __init__(self, *, seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)

    def parameters(self, rng):
        return {"bits": rng.bits()}

    def color(self, params):
        scores = noise.uniform(params["bits"], params["channels"])
        return color.permutation(ops.argsort(scores, axis=1))
