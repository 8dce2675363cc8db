"""Places weighed without parameters."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.attention.feature_attention import FeatureAttention
from perfkit.ops import attention


@keras.saving.register_keras_serializable(package="perfkit")
class SimAM(FeatureAttention):
    """Weigh each value by how much it stands out in its channel.

    It has no parameters. What lies at the mean of its channel is multiplied by 0.62,
    what lies far from it by nearly 1.

    Args:
        epsilon: Added to the variance of a channel. Above 0; `1e-6` to `0.1`, says the
            paper.
        **kwargs: See `FeatureAttention` (`data_format`, `identity`).

    Shape:
        `(batch, height, width, channels)`, or channels first; same shape out.

    Raises:
        ValueError: If `epsilon` is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[[1.0], [1.0], [1.0], [9.0]]]])
        >>> out = keras.ops.convert_to_numpy(SimAM()(image))
        >>> [round(float(value), 2) for value in out.ravel()]
        [0.64, 0.64, 0.64, 6.69]

    Reference: Yang et al., SimAM: A Simple, Parameter-Free Attention Module, 2021,
        Proceedings of Machine Learning Research 139, pages 11863-11874.
    """

    def __init__(self, epsilon=1e-4, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = _check.positive("SimAM", "epsilon", epsilon)

    def prepare(self, channels):
        pass

    def attend(self, features, training):
        weights = ops.sigmoid(attention.inverse_energy(features, self.epsilon))
        return features * ops.cast(weights, features.dtype)
