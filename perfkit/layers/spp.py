"""Pooling to the same vector for images of any size."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import kernels, pyramid_pooling

_MOST = 64


@keras.saving.register_keras_serializable(package="perfkit")
class SPP(Configured, keras.layers.Layer):
    """Pool images of any size into grids of bins, and join these to one vector.

    Between a backbone and dense layers, where images differ in size, and where things
    are matters, which a global pooling forgets.

    Args:
        bins: Rows, and columns, of the bins of each grid, coarse first. Rising whole
            numbers of at least 1.
        pooling: `"max"` or `"average"`.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(batch, height, width, channels)`, or channels first; `(batch, units)` out,
        where `units` is the channels times all bins: grid by grid, row by row, the
        channels of a bin side by side, whatever the format.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> image = np.arange(9.0).reshape(1, 3, 3, 1)
        >>> keras.ops.convert_to_numpy(SPP((1, 2))(image)).tolist()
        [[8.0, 4.0, 5.0, 7.0, 8.0]]

    Reference: He et al., Spatial Pyramid Pooling in Deep Convolutional Networks, 2014,
        arXiv 1406.4729.
    """

    def __init__(self, bins=(1, 2, 4), *, pooling="max", data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.bins = _check.rising("SPP", "bins", bins)
        if self.bins[-1] > _MOST:
            _check.fail("SPP", "bins", f"at most {_MOST}", bins)
        self.pooling = _check.one_of("SPP", "pooling", pooling, ("average", "max"))
        self.data_format = _check.data_format("SPP", data_format)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        features = inputs
        if self.data_format == "channels_first":
            features = ops.moveaxis(inputs, 1, -1)
        reduce = ops.max
        if self.pooling == "average":
            features, reduce = kernels.in_float32(features), ops.mean
        grids = [pyramid_pooling.binned(features, bins, reduce) for bins in self.bins]
        channels = inputs.shape[1 if self.data_format == "channels_first" else -1]
        vectors = [
            ops.reshape(grid, (-1, channels * bins**2))
            for grid, bins in zip(grids, self.bins, strict=True)
        ]
        return ops.cast(ops.concatenate(vectors, axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        return input_shape[0], channels * sum(bins**2 for bins in self.bins)
