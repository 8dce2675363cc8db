"""Channels weighed by a bottleneck."""

import keras

from perfkit import _check
from perfkit.layers.attention.feature_attention import FeatureAttention, reduced
from perfkit.ops import attention

_GATES = ("hard_sigmoid", "sigmoid")


@keras.saving.register_keras_serializable(package="perfkit")
class SqueezeExcite(FeatureAttention):
    """Weigh each channel by what the means of all channels say.

    Two dense layers with few units between make the weights, within 0 and 1. It has
    about `2 * channels**2 / ratio` weights, and costs next to no time.

    Args:
        ratio: Channels for each unit of the bottleneck. At least 1.
        gate: `"sigmoid"`, or `"hard_sigmoid"` as MobileNetV3 has it.
        **kwargs: See `FeatureAttention` (`data_format`, `identity`).

    Shape:
        `(batch, height, width, channels)`, or channels first; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer, image = SqueezeExcite(), np.full((1, 2, 2, 1), 4.0)
        >>> layer.build(image.shape)
        >>> layer.set_weights([np.zeros(weight.shape) for weight in layer.weights])
        >>> keras.ops.convert_to_numpy(layer(image)).ravel().tolist()
        [2.0, 2.0, 2.0, 2.0]

    Reference: Hu et al., Squeeze-and-Excitation Networks, 2017, arXiv 1709.01507.
    """

    def __init__(self, ratio=16, *, gate="sigmoid", **kwargs):
        super().__init__(**kwargs)
        self.ratio = _check.integer("SqueezeExcite", "ratio", ratio)
        self.gate = _check.one_of("SqueezeExcite", "gate", gate, _GATES)

    def prepare(self, channels):
        units = reduced(channels, self.ratio)
        self.reduce = self.part(
            keras.layers.Dense, channels, units=units, activation="relu", name="reduce"
        )
        self.expand = self.part(
            keras.layers.Dense,
            units,
            units=channels,
            activation=self.gate,
            name="expand",
        )

    def attend(self, features, training):
        weights = self.expand(self.reduce(attention.mean_of_places(features)))
        return features * weights[:, None, None, :]
