"""Normalization of each channel of each sample by its mean square."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers._channelwise import Channelwise
from perfkit.ops import kernels

_FIRST = 1e-4  # the learned part of epsilon, in the paper


@keras.saving.register_keras_serializable(package="perfkit")
class FilterResponseNormalization(Channelwise):
    """Divide each channel by the root of its mean square over the places (FRN).

    Of each sample by itself, so that it does the same whatever the size of the batch,
    in training and after. The mean is not taken off, so what follows is a
    `ThresholdedLinearUnit` in place of a ReLU. Wants a warm-up of the learning rate.

    Args:
        epsilon: Added to the mean square. Above 0.
        learned_epsilon: Whether more is added that is learned for each channel: for
            features of few places, such as a single one.
        **kwargs: `data_format`; see `keras.layers.Layer`.

    Shape:
        `(batch, ..., channels)`, or channels first; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> steps = np.array([[[3.0], [-3.0]]])
        >>> [round(float(x), 3) for x in FilterResponseNormalization()(steps)[0, :, 0]]
        [1.0, -1.0]

    Reference: Singh and Krishnan, Filter Response Normalization Layer, 2019, arXiv
        1911.09737.
    """

    def __init__(self, *, epsilon=1e-6, learned_epsilon=False, **kwargs):
        super().__init__(**kwargs)
        owner = "FilterResponseNormalization"
        self.epsilon = _check.positive(owner, "epsilon", epsilon, 1.0)
        self.learned_epsilon = _check.boolean(owner, "learned_epsilon", learned_epsilon)
        self.input_spec = keras.layers.InputSpec(min_ndim=3)

    def build(self, input_shape):
        self.gamma = self.weight(input_shape, "gamma", "ones")
        self.beta = self.weight(input_shape, "beta", "zeros")
        if self.learned_epsilon:
            first = keras.initializers.Constant(_FIRST)
            self.more = self.weight(input_shape, "more", first)

    def call(self, inputs):
        wide = kernels.in_float32(inputs)
        square = ops.mean(ops.square(wide), axis=self.axes(wide), keepdims=True)
        square = square + self.epsilon
        if self.learned_epsilon:
            square = square + ops.abs(self.spread(self.more, wide))
        outputs = wide * (ops.rsqrt(square) * self.spread(self.gamma, wide))
        return ops.cast(outputs + self.spread(self.beta, wide), self.compute_dtype)
