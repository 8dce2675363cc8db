"""A kernel as a quantized file will have it."""

import keras

from perfkit import _check
from perfkit.compress.reparameterized import KernelTransform
from perfkit.ops import fake_quantization


@keras.saving.register_keras_serializable(package="perfkit")
class QuantizedKernel(KernelTransform):
    """Round a kernel to the steps of small integers, symmetric about 0.

    Args:
        bits: Bits of a weight, within [2, 8].
        per_channel: Whether each output unit has a range of its own.
        **kwargs: See `keras.layers.Layer`.
    """

    def __init__(self, bits=8, *, per_channel=True, **kwargs):
        super().__init__(**kwargs)
        self.bits = _check.integer("QuantizedKernel", "bits", bits, 2, 8)
        owner, name = "QuantizedKernel", "per_channel"
        self.per_channel = _check.boolean(owner, name, per_channel)

    def call(self, kernel, axes):
        axes = axes if self.per_channel else ()
        return fake_quantization.weights(kernel, axes, self.bits)

    def get_config(self):
        own = {"bits": self.bits, "per_channel": self.per_channel}
        return {**super().get_config(), **own}
