"""Convolutions that look at several distances side by side."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.layers._atrous_convolution import AtrousConvolution
from perfkit.ops import kernels

_EPSILON = 1e-5


@keras.saving.register_keras_serializable(package="perfkit")
class ASPP(Configured, keras.layers.Layer):
    """Look at each place and around it, at several distances side by side.

    A convolution of 1 x 1, those of 3 x 3 whose taps are `dilation_rates` apart, and
    the mean of the image, each with batch normalization and a ReLU, are joined to
    `filters` channels, and dropout follows. Behind the backbone of a network that
    segments.

    Args:
        filters: Channels of each branch, and out. At least 1.
        dilation_rates: Places between the taps of each of the other convolutions.
            Rising whole numbers of at least 1: 6, 12, 18 for a backbone that divides
            sizes by 16, twice as many for one that divides them by 8.
        rate: Share of the outputs that is dropped in training. Within [0, 1).
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        seed: Seed of the draws. A whole number, or `None` for a new one each time.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(batch, height, width, channels)`, or channels first; `filters` channels out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> tuple(ASPP(8, (2, 4))(np.ones((1, 9, 9, 3))).shape)
        (1, 9, 9, 8)

    Reference: Chen et al., Rethinking Atrous Convolution for Semantic Image
        Segmentation, 2017, arXiv 1706.05587. Dropout as in torchvision.
    """

    def __init__(
        self,
        filters=256,
        dilation_rates=(6, 12, 18),
        *,
        rate=0.5,
        data_format=None,
        seed=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = _check.integer("ASPP", "filters", filters)
        self.dilation_rates = _check.rising("ASPP", "dilation_rates", dilation_rates)
        self.rate = _check.below_one("ASPP", "rate", rate)
        self.data_format = _check.data_format("ASPP", data_format)
        self.seed = seed
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        self.near = self._branch(channels, "near")
        self.far = [
            self._branch(channels, f"far_{rate}", 3, rate)
            for rate in self.dilation_rates
        ]
        self.whole = self._branch(channels, "whole")
        branches = len(self.far) + 2
        self.project = self._branch(branches * self.filters, "project")
        self.dropout = keras.layers.Dropout(
            self.rate, seed=self.seed, dtype=self.dtype_policy
        )

    def _branch(self, channels, name, size=1, rate=1):
        """A convolution and its normalization."""
        convolution = AtrousConvolution(
            self.filters,
            size,
            padding="same",
            dilation_rate=rate,
            use_bias=False,
            data_format="channels_last",
            dtype=self.dtype_policy,
            name=name,
        )
        normalization = keras.layers.BatchNormalization(
            epsilon=_EPSILON, dtype=self.dtype_policy, name=f"{name}_normalization"
        )
        convolution.build((None, None, None, channels))
        normalization.build((None, None, None, self.filters))
        return [convolution, normalization]

    def call(self, inputs, training=None):
        features = inputs
        if self.data_format == "channels_first":
            features = ops.moveaxis(inputs, 1, -1)

        def through(branch, x):
            convolution, normalization = branch
            return ops.relu(normalization(convolution(x), training=training))

        mean = ops.mean(kernels.in_float32(features), axis=(1, 2), keepdims=True)
        mean = through(self.whole, ops.cast(mean, features.dtype))
        views = [through(branch, features) for branch in (self.near, *self.far)]
        whole = ops.broadcast_to(mean, ops.shape(views[0]))
        joined = ops.concatenate([*views, whole], axis=-1)
        outputs = self.dropout(through(self.project, joined), training=training)
        if self.data_format == "channels_first":
            return ops.moveaxis(outputs, -1, 1)
        return outputs

    def compute_output_shape(self, input_shape):
        shape = list(input_shape)
        shape[1 if self.data_format == "channels_first" else -1] = self.filters
        return tuple(shape)
