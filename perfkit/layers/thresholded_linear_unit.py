"""A ReLU whose threshold is learned."""

import keras

from perfkit._backend import ops
from perfkit.layers._channelwise import Channelwise


@keras.saving.register_keras_serializable(package="perfkit")
class ThresholdedLinearUnit(Channelwise):
    """Raise what is below a learned threshold of its channel to it (TLU).

    Thresholds begin at 0, and so the layer as a ReLU. Behind a
    `FilterResponseNormalization`.

    Args:
        **kwargs: `data_format`; see `keras.layers.Layer`.

    Shape:
        `(batch, ..., channels)`, or channels first; same shape out.

    Raises:
        ValueError: If `data_format` is none of the two.

    Example:
        >>> import numpy as np
        >>> layer, row = ThresholdedLinearUnit(), np.array([[1.0, -1.0, -3.0]])
        >>> layer.build(row.shape)
        >>> layer.set_weights([np.array([0.0, 0.0, -2.0])])
        >>> keras.ops.convert_to_numpy(layer(row)).tolist()
        [[1.0, 0.0, -2.0]]

    Reference: Singh and Krishnan, Filter Response Normalization Layer, 2019, arXiv
        1911.09737.
    """

    def build(self, input_shape):
        self.threshold = self.weight(input_shape, "threshold", "zeros")

    def call(self, inputs):
        return ops.maximum(inputs, self.spread(self.threshold, inputs))
