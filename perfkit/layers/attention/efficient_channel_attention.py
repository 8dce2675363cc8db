"""Channels weighed by their neighbours."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.attention.feature_attention import FeatureAttention
from perfkit.ops import attention


@keras.saving.register_keras_serializable(package="perfkit")
class EfficientChannelAttention(FeatureAttention):
    """Weigh each channel by the means of the channels beside it.

    A convolution along the channels, without bottleneck: `kernel_size` weights in all.
    Left out, the kernel grows with the channels, as `(log2(channels) + b) / gamma`: 3
    of 8 to 64 channels, 5 up to 1,024.

    Args:
        kernel_size: Channels that count for one. Odd, within [1, 99], or `None`.
        gamma: See above. Above 0.
        b: See above.
        **kwargs: See `FeatureAttention` (`data_format`, `identity`).

    Shape:
        `(batch, height, width, channels)`, or channels first; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer, image = EfficientChannelAttention(), np.full((1, 2, 2, 64), 4.0)
        >>> layer.build(image.shape)
        >>> layer.set_weights([np.zeros((3, 1, 1))])
        >>> float(layer(image)[0, 0, 0, 0])
        2.0

    Reference: Wang et al., ECA-Net, 2019, arXiv 1910.03151. A kernel that is left out
        is of at least 3, as in timm.
    """

    def __init__(self, kernel_size=None, *, gamma=2.0, b=1.0, **kwargs):
        super().__init__(**kwargs)
        owner = "EfficientChannelAttention"
        if kernel_size is not None:
            kernel_size = _check.odd(owner, "kernel_size", kernel_size, 1, 99)
        self.kernel_size = kernel_size
        self.gamma = _check.positive(owner, "gamma", gamma)
        self.b = _check.number(owner, "b", b)

    def prepare(self, channels):
        size = self.kernel_size
        if size is None:
            size = attention.kernel_size(channels, self.gamma, self.b)
        self.mix = self.part(
            keras.layers.Conv1D,
            channels,
            1,
            filters=1,
            kernel_size=size,
            padding="same",
            data_format="channels_last",
            activation="sigmoid",
            use_bias=False,
            name="mix",
        )

    def attend(self, features, training):
        weights = self.mix(attention.mean_of_places(features)[..., None])
        return features * ops.swapaxes(weights, 1, 2)[:, None]
