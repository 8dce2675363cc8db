"""Convolution with standardized kernels."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class StandardizedConv2D(Configured, keras.layers.Conv2D):
    """Convolve with kernels of mean 0 and variance 1 in each output channel.

    In front of a `GroupNormalization`, which makes up for the scale. What is trained
    and saved is the kernel before that, so weights of a network that was trained
    without it do not fit.

    Args:
        filters: See `keras.layers.Conv2D`.
        kernel_size: See `keras.layers.Conv2D`.
        epsilon: Added to the variance. Above 0.
        **kwargs: See `keras.layers.Conv2D`.

    Shape:
        As `keras.layers.Conv2D`.

    Raises:
        ValueError: If `epsilon` is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.ones((1, 3, 3, 1))
        >>> out = StandardizedConv2D(2, 3)(image)  # the mean of a kernel is 0
        >>> bool(np.abs(keras.ops.convert_to_numpy(out)).max() < 1e-4)
        True

    Reference: Qiao et al., Micro-Batch Training with Batch-Channel Normalization and
        Weight Standardization, 2019, arXiv 1903.10520. The variance is that of timm's
        `StdConv2d`, without Bessel's correction.
    """

    def __init__(self, filters, kernel_size, *, epsilon=1e-6, **kwargs):
        super().__init__(filters, kernel_size, **kwargs)
        owner = "StandardizedConv2D"
        self.epsilon = _check.positive(owner, "epsilon", epsilon, 1.0)

    def convolution_op(self, inputs, kernel):
        dtype = kernel.dtype
        kernel = ops.cast(kernel, "float32")
        centered = kernel - ops.mean(kernel, axis=(0, 1, 2), keepdims=True)
        variance = ops.mean(ops.square(centered), axis=(0, 1, 2), keepdims=True)
        kernel = ops.cast(centered * ops.rsqrt(variance + self.epsilon), dtype)
        return super().convolution_op(inputs, kernel)
