"""A context of the whole image, for every place."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.attention._parts import EPSILON
from perfkit.layers.attention.feature_attention import FeatureAttention, reduced
from perfkit.ops import attention

_FUSIONS = ("add", "scale")


@keras.saving.register_keras_serializable(package="perfkit")
class GlobalContext(FeatureAttention):
    """Add to each place what the places that matter say together.

    One average for the image, weighed by learned scores of its places, goes through a
    bottleneck. What non-local layers find is nearly the same for every place; here it
    is made once. With `fusion="add"`, `identity=True` begins with zeros in the last
    dense layer, and there is no strength.

    Args:
        ratio: Channels for each unit of the bottleneck. At least 1.
        fusion: `"add"`, or `"scale"` to weigh channels by a sigmoid of the same.
        **kwargs: See `FeatureAttention` (`data_format`, `identity`).

    Shape:
        `(batch, height, width, channels)`, or channels first; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer = GlobalContext(identity=True)
        >>> image = np.array([[[[1.0], [2.0]]]])
        >>> keras.ops.convert_to_numpy(layer(image)).ravel().tolist()
        [1.0, 2.0]

    Reference: Cao et al., GCNet: Non-local Networks Meet Squeeze-Excitation Networks
        and Beyond, 2019, arXiv 1904.11492, whose last layer begins with zeros. Scores
        have no bias, which the softmax would take out.
    """

    def __init__(self, ratio=16, *, fusion="add", **kwargs):
        super().__init__(**kwargs)
        self.ratio = _check.integer("GlobalContext", "ratio", ratio)
        self.fusion = _check.one_of("GlobalContext", "fusion", fusion, _FUSIONS)

    @property
    def has_strength(self):
        return self.fusion == "scale"

    def prepare(self, channels):
        units = reduced(channels, self.ratio)
        zeros = self.identity and self.fusion == "add"
        self.scores = self.part(
            keras.layers.Dense,
            *(None, None, channels),
            units=1,
            use_bias=False,
            name="scores",
        )
        self.reduce = self.part(
            keras.layers.Dense, channels, units=units, name="reduce"
        )
        self.normalize = self.part(
            keras.layers.LayerNormalization, units, epsilon=EPSILON, name="normalize"
        )
        self.expand = self.part(
            keras.layers.Dense,
            units,
            units=channels,
            kernel_initializer="zeros" if zeros else "glorot_uniform",
            name="expand",
        )

    def attend(self, features, training):
        context = attention.context(features, self.scores(features))
        context = ops.relu(self.normalize(self.reduce(context)))
        context = self.expand(context)[:, None, None, :]
        if self.fusion == "add":
            return features + context
        return features * ops.sigmoid(context)
