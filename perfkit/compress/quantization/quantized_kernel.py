"""A kernel as a quantized file will have it."""

import keras

from perfkit import _check
from perfkit.compress.reparameterized import KernelTransform
from perfkit.ops import fake_quantization


@keras.saving.register_keras_serializable(package="perfkit")
class QuantizedKernel(KernelTransform):
    """Round a kernel to the levels of small integers, as many below 0 as above.

    There are `2 ** bits - 1` levels, evenly apart. The outermost ones are the largest
    absolute weight, of each output unit or of the whole kernel, and its negative.

    Args:
        bits: Bits of a weight, within [2, 8].
        per_channel: Whether each output unit has a range of its own.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        The kernel, of any shape; the same shape out.

    Raises:
        ValueError: If `bits` is out of bounds.
        TypeError: If `per_channel` is no boolean.

    Example:
        >>> import numpy as np
        >>> kernel = np.array([[1.0, 0.3], [-0.8, 0.1]], "float32")  # (inputs, units)
        >>> rounding = QuantizedKernel(bits=2)
        >>> rounding.build(kernel.shape, (1,))
        >>> rounded = keras.ops.convert_to_numpy(rounding(kernel, axes=(1,)))
        >>> [[round(float(weight), 3) for weight in row] for row in rounded]
        [[1.0, 0.3], [-1.0, 0.0]]

    Reference: Krishnamoorthi, Quantizing deep convolutional networks, 2018, arXiv
        1806.08342.
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
