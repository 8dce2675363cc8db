"""Average and maximum pooling side by side."""

import keras

from perfkit._backend import ops
from perfkit.layers.pooling import Pooling, masked_maximum


@keras.saving.register_keras_serializable(package="perfkit")
class ConcatPool(Pooling):
    """Pool the places by their average and their maximum, side by side.

    The averages of all channels come first, then their maxima.

    Args:
        **kwargs: See `Pooling` (`data_format`, `keepdims`).

    Shape:
        `(batch, ..., channels)`, or channels first; `(batch, 2 * channels)` out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> steps = np.array([[[1.0, 0.0], [3.0, 8.0]]])
        >>> keras.ops.convert_to_numpy(ConcatPool()(steps)).tolist()
        [[2.0, 4.0, 3.0, 8.0]]

    Reference: none (standard). fastai's `AdaptiveConcatPool2d` has the maxima first.
    """

    def pool(self, values, seen):
        count = ops.sum(ops.cast(seen, values.dtype), axis=1)
        average = ops.sum(values, axis=1) / count
        return ops.concatenate([average, masked_maximum(values, seen)], axis=-1)

    def channels_out(self, channels):
        return 2 * channels
