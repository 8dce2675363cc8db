"""The family of layers that drop parts of what passes, only while training."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import drawn
from perfkit._config import Configured


class Dropping(Configured, keras.layers.Layer):
    """Drop parts of the inputs while training, and enlarge what stays.

    The expectation of the outputs is that of the inputs, and at inference nothing
    happens.

    Args:
        rate: Share that is dropped, on average. Within [0, 1).
        seed: Whole number below 2**32, or `None` for a different stream at each
            construction.
        **kwargs: See `keras.layers.Layer`.
    """

    keeps_channels = True  # for `perfkit.graph`: values, and nothing between channels

    def __init__(self, rate, *, seed=None, **kwargs):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.rate = _check.number(owner, "rate", rate, 0.0, 1.0)
        if self.rate == 1.0:
            _check.fail(owner, "rate", "below 1: something has to stay", rate)
        if seed is not None:
            seed = _check.integer(owner, "seed", seed, 0, 2**32 - 1)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def hits(self, shape, rate) -> Any:
        """Draw 1 with the probability `rate`, and 0 else, float32."""
        units = drawn("uniform", shape, self.seed_generator)
        return keras.ops.cast(units < rate, "float32")

    def enlarged(self, inputs, kept):
        """What is kept, 1 or 0 for each sample or for all, enlarged by the rate."""
        factor = kept / (1.0 - self.rate)
        return inputs * keras.ops.cast(factor, self.compute_dtype)

    def drop(self, inputs):
        """Operation: inputs with something dropped."""
        raise NotImplementedError

    def call(self, inputs, training=False):
        if not training or self.rate == 0.0:
            return inputs
        return self.drop(inputs)

    def compute_output_shape(self, input_shape):
        return input_shape
