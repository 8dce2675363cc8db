"""Batch normalization in parts of the batch."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class GhostBatchNormalization(Configured, keras.layers.BatchNormalization):
    """Normalize parts of the batch by themselves while training.

    A large batch is so regularized as small ones are. The moving statistics are those
    of a `BatchNormalization` that saw the parts one after the other, and inference is
    the same, whatever the size of the batch.

    Args:
        virtual_batch_size: Samples in a part, in the order of the batch; the last part
            takes what is left over. At least 1.
        **kwargs: See `keras.layers.BatchNormalization` (`axis`, `momentum`, ...), but
            `synchronized` and `renorm`.

    Shape:
        `(batch, ..., channels)`; same shape out.

    Raises:
        ValueError: If `virtual_batch_size` is out of bounds, or an argument is given
            that parts of a batch have no meaning for.

    Example:
        >>> import numpy as np
        >>> layer = GhostBatchNormalization(2, epsilon=1e-7)
        >>> out = layer(np.array([[1.0], [3.0], [10.0], [30.0]]), training=True)
        >>> np.round(keras.ops.convert_to_numpy(out)[:, 0], 3).tolist()
        [-1.0, 1.0, -1.0, 1.0]

    Reference: Hoffer et al., Train longer, generalize better, 2017, arXiv 1705.08741.
    """

    def __init__(self, virtual_batch_size, **kwargs):
        owner = "GhostBatchNormalization"
        for argument in ("synchronized", "renorm"):
            if kwargs.get(argument):
                _check.fail(owner, argument, "left out", kwargs[argument])
        super().__init__(**kwargs)
        self.virtual_batch_size = _check.integer(
            owner, "virtual_batch_size", virtual_batch_size
        )

    def call(self, inputs, training=None, mask=None):
        if not training or not self.trainable:
            return super().call(inputs, training=False, mask=mask)
        if mask is not None:
            raise ValueError(f"{self.name}: a mask has no meaning here.")
        dtype = keras.backend.standardize_dtype(inputs.dtype)
        values = ops.cast(inputs, "float32")
        rank = len(values.shape)
        axis = self.axis % rank
        inner = [k for k in range(1, rank) if k != axis]
        shape = [values.shape[axis] if k == axis else 1 for k in range(rank)]
        shape[0] = -1

        samples = ops.shape(values)[0]
        part = ops.arange(samples, dtype="int32") // self.virtual_batch_size
        parts = (samples + self.virtual_batch_size - 1) // self.virtual_batch_size
        sizes = ops.segment_sum(ops.ones_like(part, dtype="float32"), part, parts)

        def mean_of(x):
            total = ops.segment_sum(ops.mean(x, axis=inner), part, parts)
            return total / sizes[:, None]

        def spread(statistics):
            return ops.reshape(ops.take(statistics, part, axis=0), shape)

        mean = mean_of(values)
        centered = values - spread(mean)
        variance = mean_of(ops.square(centered))
        self._keep(mean, variance, parts)
        factor = ops.rsqrt(variance + self.epsilon)
        outputs = centered * spread(factor)
        shape[0] = 1
        if self.scale:
            outputs = outputs * ops.reshape(self.gamma, shape)
        if self.center:
            outputs = outputs + ops.reshape(self.beta, shape)
        return ops.cast(outputs, dtype)

    def _keep(self, mean, variance, parts):
        """Move the moving statistics as if the parts came one after the other."""
        later = parts - 1 - ops.arange(parts, dtype="int32")
        share = self.momentum ** ops.cast(later, "float32") * (1.0 - self.momentum)
        rest = self.momentum ** ops.cast(parts, "float32")
        kept: Any = (self.moving_mean, self.moving_variance)
        for moving, found in zip(kept, (mean, variance), strict=True):
            moving.assign(moving * rest + ops.sum(share[:, None] * found, axis=0))
