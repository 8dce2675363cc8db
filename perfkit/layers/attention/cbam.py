"""Channels weighed, and then places."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.attention._parts import EPSILON
from perfkit.layers.attention.feature_attention import FeatureAttention, reduced
from perfkit.ops import attention, kernels


@keras.saving.register_keras_serializable(package="perfkit")
class CBAM(FeatureAttention):
    """Weigh each channel, and then each place, by means and maxima.

    A bottleneck makes the weights of channels, a convolution over the mean and the
    maximum of the channels those of places.

    Args:
        ratio: Channels for each unit of the bottleneck. At least 1.
        kernel_size: Side of the convolution, in places. Odd, within [1, 99].
        **kwargs: See `FeatureAttention` (`data_format`, `identity`).

    Shape:
        `(batch, height, width, channels)`, or channels first; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer, image = CBAM(), np.full((1, 2, 2, 1), 4.0)
        >>> layer.build(image.shape)
        >>> layer.set_weights([np.zeros(weight.shape) for weight in layer.weights])
        >>> keras.ops.convert_to_numpy(layer(image)).ravel().tolist()
        [1.0, 1.0, 1.0, 1.0]

    Reference: Woo et al., CBAM: Convolutional Block Attention Module, 2018, arXiv
        1807.06521. A batch normalization follows the convolution, and the bottleneck
        has no biases, as in timm; the paper's text has neither of them.
    """

    def __init__(self, ratio=16, *, kernel_size=7, **kwargs):
        super().__init__(**kwargs)
        self.ratio = _check.integer("CBAM", "ratio", ratio)
        self.kernel_size = _check.odd("CBAM", "kernel_size", kernel_size, 1, 99)

    def prepare(self, channels):
        units = reduced(channels, self.ratio)
        self.reduce = self.part(
            keras.layers.Dense,
            channels,
            units=units,
            activation="relu",
            use_bias=False,
            name="reduce",
        )
        self.expand = self.part(
            keras.layers.Dense, units, units=channels, use_bias=False, name="expand"
        )
        self.look = self.part(
            keras.layers.Conv2D,
            *(None, None, 2),
            filters=1,
            kernel_size=self.kernel_size,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            name="look",
        )
        self.normalize = self.part(
            keras.layers.BatchNormalization,
            *(None, None, 1),
            epsilon=EPSILON,
            name="normalize",
        )

    def attend(self, features, training):
        means = self.expand(self.reduce(attention.mean_of_places(features)))
        maxima = self.expand(self.reduce(ops.max(features, axis=(1, 2))))
        weights = ops.sigmoid(means + maxima)
        features = features * weights[:, None, None, :]

        wide = kernels.in_float32(features)
        mean = ops.mean(wide, axis=-1, keepdims=True)
        maximum = ops.max(wide, axis=-1, keepdims=True)
        seen = self.look(ops.concatenate([mean, maximum], axis=-1))
        return features * ops.sigmoid(self.normalize(seen, training=training))
