"""Normalization of channels by each other."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers._channelwise import Channelwise
from perfkit.ops import kernels


@keras.saving.register_keras_serializable(package="perfkit")
class GlobalResponseNormalization(Channelwise):
    """Strengthen the channels that answer more than the others (GRN).

    A channel is multiplied by its norm over all places, as a share of the mean of those
    of all channels. What comes of it is scaled and added to the inputs, by weights
    that begin at 0: so the layer begins as the identity. Between the two dense layers
    of a ConvNeXt block, behind the activation.

    Args:
        epsilon: Added to the mean of the norms. Above 0.
        **kwargs: `data_format`; see `keras.layers.Layer`.

    Shape:
        `(batch, ..., channels)`, or channels first; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer, steps = GlobalResponseNormalization(), np.array([[[3.0, 1.0]]])
        >>> layer.build(steps.shape)
        >>> layer.set_weights([np.ones(2), np.zeros(2)])
        >>> [round(float(x), 3) for x in layer(steps)[0, 0]]
        [7.5, 1.5]

    Reference: Woo et al., ConvNeXt V2, 2023, arXiv 2301.00808.
    """

    def __init__(self, *, epsilon=1e-6, **kwargs):
        super().__init__(**kwargs)
        owner = "GlobalResponseNormalization"
        self.epsilon = _check.positive(owner, "epsilon", epsilon, 1.0)
        self.input_spec = keras.layers.InputSpec(min_ndim=3)

    def build(self, input_shape):
        self.gamma = self.weight(input_shape, "gamma", "zeros")
        self.beta = self.weight(input_shape, "beta", "zeros")

    def call(self, inputs):
        wide = kernels.in_float32(inputs)
        squares = ops.sum(ops.square(wide), axis=self.axes(wide), keepdims=True)
        # The root has no slope where a channel is 0 everywhere.
        some = squares > 0.0
        norms = ops.where(some, ops.sqrt(ops.where(some, squares, 1.0)), 0.0)
        channel = self._axis(len(wide.shape))
        mean = ops.mean(norms, axis=channel, keepdims=True)
        factor = self.spread(self.gamma, wide) * norms / (mean + self.epsilon)
        return (
            inputs
            + inputs * ops.cast(factor, inputs.dtype)
            + self.spread(self.beta, inputs)
        )
