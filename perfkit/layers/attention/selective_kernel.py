"""Convolution whose kernel size depends on the image."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.layers.attention._parts import EPSILON, part
from perfkit.ops import attention


@keras.saving.register_keras_serializable(package="perfkit")
class SelectiveKernel(Configured, keras.layers.Layer):
    """Convolve with kernels of several sizes, and weigh these for each channel.

    Each branch is a convolution, a batch normalization and a ReLU. The means of their
    sum go through a bottleneck, and a softmax over the branches weighs them. In place
    of a convolution with what follows it; the cost is that of all branches.

    Args:
        filters: Channels out. At least 1.
        kernel_size: Sides of the kernels, one a branch: different odd numbers within
            [1, 99].
        strides: See `keras.layers.Conv2D`. 1 where kernels are dilated.
        groups: See `keras.layers.Conv2D`.
        dilated: Whether kernels larger than 3 are kernels of 3, dilated to that reach,
            which is cheaper.
        ratio: Channels for each unit of the bottleneck. At least 1.
        least_units: Units of the bottleneck, at least. At least 1.
        data_format: `"channels_last"`, `"channels_first"`, or `None` for Keras's own.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        `(batch, height, width, channels)`, or channels first; `filters` channels out,
        and places as of a convolution with `padding="same"`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> tuple(SelectiveKernel(4)(np.ones((1, 6, 6, 2))).shape)
        (1, 6, 6, 4)

    Reference: Li et al., Selective Kernel Networks, 2019, arXiv 1903.06586. Their
        network has 32 groups and two branches; the defaults are without groups.
    """

    def __init__(
        self,
        filters,
        kernel_size=(3, 5),
        *,
        strides=1,
        groups=1,
        dilated=True,
        ratio=16,
        least_units=32,
        data_format=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        owner = "SelectiveKernel"
        self.filters = _check.integer(owner, "filters", filters)
        self.kernel_size = _check.choices(owner, "kernel_size", kernel_size, 1, 99)
        if len(self.kernel_size) < 2 or not all(size % 2 for size in self.kernel_size):
            expected = "two or more different odd numbers"
            _check.fail(owner, "kernel_size", expected, kernel_size)
        self.dilated = _check.boolean(owner, "dilated", dilated)
        self.strides = _check.integer(owner, "strides", strides)
        if self.strides > 1 and self.dilated and max(self.kernel_size) > 3:
            _check.fail(owner, "strides", "1 where kernels are dilated", strides)
        self.groups = _check.integer(owner, "groups", groups)
        self.ratio = _check.integer(owner, "ratio", ratio)
        self.least_units = _check.integer(owner, "least_units", least_units)
        self.data_format = _check.data_format(owner, data_format)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        first = self.data_format == "channels_first"
        channels = input_shape[1 if first else -1]
        self.branches, self.normalizations = [], []
        for size in self.kernel_size:
            self.branches.append(self._branch(size, channels))
            shape = (None, None, self.filters)
            self.normalizations.append(self._normalization(f"normalize_{size}", *shape))
        units = max(self.filters // self.ratio, self.least_units)
        self.reduce = part(
            self,
            keras.layers.Dense,
            (self.filters,),
            units=units,
            use_bias=False,
            name="reduce",
        )
        self.normalize = self._normalization("normalize", units)
        self.select = part(
            self,
            keras.layers.Dense,
            (units,),
            units=self.filters * len(self.kernel_size),
            use_bias=False,
            name="select",
        )

    def _branch(self, size, channels):
        is_dilated = self.dilated and size > 3
        return part(
            self,
            keras.layers.Conv2D,
            (None, None, channels),
            filters=self.filters,
            kernel_size=3 if is_dilated else size,
            strides=self.strides,
            dilation_rate=(size - 1) // 2 if is_dilated else 1,
            groups=self.groups,
            padding="same",
            data_format="channels_last",
            use_bias=False,
            name=f"branch_{size}",
        )

    def _normalization(self, name, *shape):
        kind = keras.layers.BatchNormalization
        return part(self, kind, shape, epsilon=EPSILON, name=name)

    def call(self, inputs, training=None):
        first = self.data_format == "channels_first"
        features = ops.moveaxis(inputs, 1, -1) if first else inputs
        pairs = zip(self.branches, self.normalizations, strict=True)
        branches = [
            ops.relu(normalize(branch(features), training=training))
            for branch, normalize in pairs
        ]
        means = sum(map(attention.mean_of_places, branches))
        units = ops.relu(self.normalize(self.reduce(means), training=training))
        scores = ops.reshape(self.select(units), (-1, len(branches), self.filters))
        weights = ops.cast(attention.shares(scores, 1), self.compute_dtype)
        outputs = sum(
            branch * weights[:, None, None, k] for k, branch in enumerate(branches)
        )
        return ops.moveaxis(outputs, -1, 1) if first else outputs

    def compute_output_shape(self, input_shape):
        batch, *places = input_shape
        first = self.data_format == "channels_first"
        places.pop(0 if first else -1)
        places = [None if n is None else -(-n // self.strides) for n in places]
        if first:
            return (batch, self.filters, *places)
        return (batch, *places, self.filters)
