"""Every place looks at every other one."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.attention._parts import EPSILON
from perfkit.layers.attention.feature_attention import FeatureAttention, reduced
from perfkit.ops import attention


@keras.saving.register_keras_serializable(package="perfkit")
class NonLocal2D(FeatureAttention):
    """Add to each place what all places hold, weighed by how much they are alike.

    Time and memory grow with the square of the places: it belongs where an image has
    become small. It begins as the identity, by zeros in the last normalization, and
    has no strength.

    Args:
        ratio: Channels for each one that places are compared by. At least 1.
        pool_size: Side of squares of places of which only the maximum is looked at; 2
            makes a quarter of the products. At least 1.
        identity: Whether the layer begins as the identity.
        **kwargs: See `FeatureAttention` (`data_format`).

    Shape:
        `(batch, height, width, channels)`, or channels first; same shape out. Height
        and width are at least `pool_size`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[[1.0], [2.0]]]])
        >>> keras.ops.convert_to_numpy(NonLocal2D()(image)).ravel().tolist()
        [1.0, 2.0]

    Reference: Wang et al., Non-local Neural Networks, 2017, arXiv 1711.07971, the
        embedded Gaussian. Products are divided by the root of the channels they are
        of, as in the authors' code; biases that a softmax or a normalization would take
        out are left out.
    """

    has_strength = False

    def __init__(self, ratio=2, *, pool_size=1, identity=True, **kwargs):
        super().__init__(identity=identity, **kwargs)
        self.ratio = _check.integer("NonLocal2D", "ratio", ratio)
        self.pool_size = _check.integer("NonLocal2D", "pool_size", pool_size)

    def prepare(self, channels):
        units = reduced(channels, self.ratio)

        def dense(inputs, outputs, name, use_bias=False):
            return self.part(
                keras.layers.Dense,
                *(None, None, inputs),
                units=outputs,
                use_bias=use_bias,
                name=name,
            )

        self.query = dense(channels, units, "query", use_bias=True)
        self.key = dense(channels, units, "key")
        self.value = dense(channels, units, "value")
        self.expand = dense(units, channels, "expand")
        self.normalize = self.part(
            keras.layers.BatchNormalization,
            *(None, None, channels),
            epsilon=EPSILON,
            gamma_initializer="zeros" if self.identity else "ones",
            name="normalize",
        )

    def attend(self, features, training):
        seen = features
        if self.pool_size > 1:
            sides = (self.pool_size, self.pool_size)
            seen = ops.max_pool(seen, sides, sides, data_format="channels_last")
        query = _in_a_row(self.query(features))
        key, value = _in_a_row(self.key(seen)), _in_a_row(self.value(seen))
        found = attention.dot_product(query, key, value, 1 / math.sqrt(query.shape[-1]))
        found = ops.reshape(found, (*ops.shape(features)[:3], found.shape[-1]))
        return features + self.normalize(self.expand(found), training=training)


def _in_a_row(features):
    batch, height, width = ops.shape(features)[:3]
    return ops.reshape(features, (batch, height * width, features.shape[-1]))
