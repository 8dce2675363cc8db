"""Layers that tell steps where they are."""

import math

import keras

from perfkit._backend import ops


@keras.saving.register_keras_serializable(package="perfkit")
class SinusoidalPosition(keras.layers.Layer):
    """Add sines and cosines of the position, of wavelengths up to 10000 steps * 2 pi.

    Reference: Vaswani et al., Attention Is All You Need, 2017, arXiv 1706.03762. Sines
        come first and cosines behind them, where the paper has them in turn.
    """

    def call(self, inputs):
        steps, width = ops.shape(inputs)[1], inputs.shape[-1]
        half = -(-width // 2)
        speeds = ops.exp(ops.arange(half, dtype="float32") * (-math.log(1e4) / half))
        angles = ops.arange(steps, dtype="float32")[:, None] * speeds
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        return inputs + ops.cast(waves[None, :, :width], self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable(package="perfkit")
class LearnedPosition(keras.layers.Layer):
    """Add a learned vector for each position."""

    def build(self, input_shape):
        self.positions = self.add_weight(
            shape=tuple(input_shape[1:]),
            initializer=keras.initializers.RandomNormal(stddev=0.1),
            name="positions",
        )

    def call(self, inputs):
        return inputs + ops.cast(self.positions, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape
