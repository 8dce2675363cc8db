"""A kernel of few values."""

import math
from typing import Any

import keras

from perfkit import _check
from perfkit._backend import keras_ops as ops
from perfkit._config import Configured
from perfkit.compress.reparameterized import KernelTransform
from perfkit.ops import centroids, clustering, kernels


@keras.saving.register_keras_serializable(package="perfkit")
class ClusteredKernel(Configured, KernelTransform):
    """Replace each weight of a kernel by the nearest of a few centroids, which learn.

    The gradient of a weight goes to its centroid, and to the weight itself as if it
    were not replaced. So weights may change from one centroid to another.

    Args:
        clusters: How many values there are, at least 2.
        method: How centroids begin: "kmeans++", means of clusters with little squared
            error; "density", quantiles of the weights; "linear", evenly apart;
            "random", uniform draws. The last three lie between the least and the
            greatest weight.
        preserve_sparsity: Whether weights that are 0, at first or now, stay 0. One of
            the centroids is 0 then, and does not learn.
        per_channel: Whether each output unit has centroids of its own.
        gradient: What of the gradients of its weights a centroid gets: "sum" or "mean".
        seed: For "kmeans++" and "random", at least 0.
        **kwargs: See `keras.layers.Layer`.

    Shape:
        The kernel, of any shape; the same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> kernel = np.array([[0.0], [0.5], [2.5], [3.0]], "float32")  # (inputs, 1)
        >>> few = ClusteredKernel(2)
        >>> few.build(kernel.shape, (1,))
        >>> few.begin(kernel, (1,))  # sets the centroids
        >>> keras.ops.convert_to_numpy(few(kernel, axes=(1,)))[:, 0].tolist()
        [0.25, 0.25, 2.75, 2.75]

    Reference: Han et al., Deep Compression, 2016, arXiv 1510.00149; there each weight
        stays with its first centroid.
    """

    def __init__(
        self,
        clusters=16,
        *,
        method="kmeans++",
        preserve_sparsity=False,
        per_channel=False,
        gradient="sum",
        seed=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.clusters = clusters
        self.method = method
        self.preserve_sparsity = preserve_sparsity
        self.per_channel = per_channel
        self.gradient = gradient
        self.seed = seed
        check("ClusteredKernel", self.arguments())

    def build(self, input_shape=None, axes=()):
        shape: Any = input_shape
        units = math.prod(shape[axis] for axis in axes) if self.per_channel else 1
        self.centroids = self.add_weight(
            shape=(units, self.clusters - self.preserve_sparsity),
            initializer="zeros",
            name="centroids",
        )
        self.zeros = None
        if self.preserve_sparsity:
            # What an optimizer makes of a gradient of 0 is not always 0.
            self.zeros = self.add_weight(
                shape=shape,
                initializer="zeros",
                trainable=False,
                dtype="bool",
                name="zeros",
            )

    def begin(self, kernel, axes):
        columns = ops.convert_to_numpy(self._columns(kernel, axes)).T
        count = self.centroids.shape[1]
        options = {"around_zero": self.preserve_sparsity, "seed": self.seed}
        first = [centroids.first(x, count, self.method, **options) for x in columns]
        self.centroids.assign(first)
        if self.zeros is not None:
            self.zeros.assign(kernel == 0)

    def call(self, kernel, axes):
        columns = self._columns(ops.cast(kernel, "float32"), axes)
        values = ops.convert_to_tensor(self.centroids)
        if self.preserve_sparsity:
            zero = ops.zeros((values.shape[0], 1), values.dtype)
            values = ops.concatenate([values, zero], axis=1)
        averaged = self.gradient == "mean"
        made = clustering.clustered(columns, values, averaged=averaged)
        if self.per_channel:
            made = kernels.from_matrix(made, kernel, axes)
        else:
            made = ops.reshape(made, kernel.shape)
        if self.zeros is not None:
            made = ops.where(ops.convert_to_tensor(self.zeros), 0.0, made)
        return ops.cast(made, kernel.dtype)

    def _columns(self, kernel, axes):
        """The kernel as columns of weights that have centroids in common."""
        if self.per_channel:
            return kernels.matrix(kernel, axes)
        return ops.reshape(kernel, (-1, 1))


def check(owner, options) -> None:
    """Check the arguments of `ClusteredKernel`, given by their names."""
    _check.integer(owner, "clusters", options["clusters"], 2)
    _check.one_of(owner, "method", options["method"], centroids.METHODS)
    for name in ("preserve_sparsity", "per_channel"):
        _check.boolean(owner, name, options[name])
    _check.one_of(owner, "gradient", options["gradient"], ("mean", "sum"))
    _check.integer(owner, "seed", options["seed"], 0)
