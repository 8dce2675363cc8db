"""Downsampling that blurs first."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import binomial


@keras.saving.register_keras_serializable(package="perfkit")
class BlurPool(Configured, keras.layers.Layer):
    """Blur feature maps and keep every so many places of them.

    Behind a convolution, or a maximum, that goes place by place, in place of its
    strides: then a shift of the image by a pixel changes little. It has no weights.
    `perfkit.surgery.blur_pool` puts it into a model that is already built.

    Args:
        size: Places that the binomial filter spans along rows and columns. Within [2,
            7]: 3 is (1, 2, 1) / 4.
        strides: Places from one that is kept to the next. At least 1.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(batch, height, width, channels)`, or channels first; height and width are
        divided by `strides`, rounded up.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> row = np.array([0.0, 4.0, 0.0, 4.0]).reshape(1, 1, 4, 1)
        >>> keras.ops.convert_to_numpy(BlurPool()(row)).ravel().tolist()
        [2.0, 2.0]

    Reference: Zhang, Making Convolutional Networks Shift-Invariant Again, 2019, arXiv
        1904.11486.
    """

    def __init__(self, size=3, strides=2, *, data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.size = _check.integer("BlurPool", "size", size, 2, 7)
        self.strides = _check.integer("BlurPool", "strides", strides)
        self.data_format = _check.data_format("BlurPool", data_format)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        if self.data_format == "channels_last":
            return binomial.downsampled(inputs, self.size, self.strides)
        features = ops.moveaxis(inputs, 1, -1)
        features = binomial.downsampled(features, self.size, self.strides)
        return ops.moveaxis(features, -1, 1)

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        first = 1 if self.data_format == "channels_last" else 2
        for axis in (first, first + 1):
            if shape[axis] is not None:
                shape[axis] = -(-shape[axis] // self.strides)
        return tuple(shape)
