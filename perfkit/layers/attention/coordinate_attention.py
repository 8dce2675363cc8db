"""Channels weighed for each row and each column."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.attention._parts import EPSILON
from perfkit.layers.attention.feature_attention import FeatureAttention, reduced
from perfkit.ops import kernels


@keras.saving.register_keras_serializable(package="perfkit")
class CoordinateAttention(FeatureAttention):
    """Weigh each channel for each row, and for each column.

    Means of rows and of columns go through one bottleneck, so that weights know where
    in the image something is, at about the cost of `SqueezeExcite`.

    Args:
        ratio: Channels for each unit of the bottleneck, which has no less than 8. At
            least 1.
        **kwargs: See `FeatureAttention` (`data_format`, `identity`).

    Shape:
        `(batch, height, width, channels)`, or channels first; same shape out.

    Raises:
        ValueError: If `ratio` is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer, image = CoordinateAttention(), np.full((1, 2, 2, 1), 4.0)
        >>> layer.build(image.shape)
        >>> layer.set_weights([np.zeros(weight.shape) for weight in layer.weights])
        >>> keras.ops.convert_to_numpy(layer(image)).ravel().tolist()
        [1.0, 1.0, 1.0, 1.0]

    Reference: Hou et al., Coordinate Attention for Efficient Mobile Network Design,
        2021, arXiv 2103.02907. Without biases, as in timm.
    """

    def __init__(self, ratio=32, **kwargs):
        super().__init__(**kwargs)
        self.ratio = _check.integer("CoordinateAttention", "ratio", ratio)

    def prepare(self, channels):
        units = reduced(channels, self.ratio, least=8)

        def dense(inputs, outputs, name, **arguments):
            return self.part(
                keras.layers.Dense,
                *(None, inputs),
                units=outputs,
                use_bias=False,
                name=name,
                **arguments,
            )

        self.reduce = dense(channels, units, "reduce")
        self.normalize = self.part(
            keras.layers.BatchNormalization,
            *(None, units),
            epsilon=EPSILON,
            name="normalize",
        )
        self.rows = dense(units, channels, "rows", activation="sigmoid")
        self.columns = dense(units, channels, "columns", activation="sigmoid")

    def attend(self, features, training):
        wide = kernels.in_float32(features)
        height = ops.shape(features)[1]
        lines = ops.concatenate([ops.mean(wide, axis=2), ops.mean(wide, axis=1)], 1)
        lines = self.normalize(self.reduce(lines), training=training)
        lines: Any = keras.activations.hard_silu(lines)
        rows, columns = lines[:, :height], lines[:, height:]
        rows = ops.expand_dims(self.rows(rows), 2)
        return features * rows * ops.expand_dims(self.columns(columns), 1)
