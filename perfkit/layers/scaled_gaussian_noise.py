"""Noise in proportion to what it is added to."""

import keras

from perfkit import _check
from perfkit._backend import drawn, ops
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class ScaledGaussianNoise(Configured, keras.layers.Layer):
    """Add noise to each channel while training, in proportion to its deviation.

    The deviation is that of the channel over the batch and all places, so that the
    same `stddev` suits every layer of a network; `keras.layers.GaussianNoise` adds
    noise of the same size to whatever passes. It counts as a constant: gradients pass
    as if the noise had been there before. A channel that does not vary, as in a batch
    of one vector, is left as it is.

    Args:
        stddev: Deviation of the noise as a fraction of that of the channel. Within
            [0, 10].
        axis: Axis of the channels.
        seed: Whole number below 2**32, or `None` for a different stream at each
            construction.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(batch, ..., channels)`; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> inputs = np.tile([[1.0, 0.0], [-1.0, 0.0]], (5000, 1))
        >>> noise = ScaledGaussianNoise(0.5, seed=1)(inputs, training=True) - inputs
        >>> np.round(keras.ops.convert_to_numpy(noise).std(axis=0), 1).tolist()
        [0.5, 0.0]

    Reference: none (standard).
    """

    def __init__(self, stddev, *, axis=-1, seed=None, **kwargs):
        super().__init__(**kwargs)
        owner = "ScaledGaussianNoise"
        self.stddev = _check.number(owner, "stddev", stddev, 0.0, 10.0)
        self.axis = _check.integer(owner, "axis", axis, -100, 100)
        if seed is not None:
            seed = _check.integer(owner, "seed", seed, 0, 2**32 - 1)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs, training=False):
        if not training or self.stddev == 0.0:
            return inputs
        values = ops.cast(inputs, "float32")
        rank = len(values.shape)
        others = [k for k in range(rank) if k != self.axis % rank]
        scale = ops.stop_gradient(ops.std(values, axis=others, keepdims=True))
        noise = drawn("normal", ops.shape(values), self.seed_generator)
        return inputs + ops.cast(noise * (scale * self.stddev), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
