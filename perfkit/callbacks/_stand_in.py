"""A tensor in place of a Python number that Keras compares with 0."""

from typing import Any

import keras

from perfkit._backend import ops


class StandIn:
    """A tensor that is above 0 as far as branches are concerned.

    SGD asks `if self.momentum != 0` while its step is traced, which a tensor cannot
    answer. TensorFlow and JAX turn this into its tensor by their public protocols.
    """

    def __init__(self, value):
        self.value: Any = value

    def __gt__(self, other):
        return True

    def __bool__(self):
        return True

    def __tf_tensor__(self, dtype=None, name=None):
        if dtype is None:
            return self.value
        return ops.cast(self.value, keras.backend.standardize_dtype(dtype))

    def __jax_array__(self):
        return self.value

    def __mul__(self, other):
        return self.value * other

    __rmul__ = __mul__

    def __sub__(self, other):
        return self.value - other

    def __rsub__(self, other):
        return other - self.value
