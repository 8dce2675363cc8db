"""Maximum pooling over all places."""

import keras

from perfkit.layers.pooling import Pooling, masked_maximum


@keras.saving.register_keras_serializable(package="perfkit")
class GlobalMaxPool(Pooling):
    """Pool the places by their maximum.

    As Keras's global maximum pooling, but for features of any number of axes, and
    places that a mask hides do not count.

    Args:
        **kwargs: See `Pooling` (`data_format`, `keepdims`).

    Shape:
        `(batch, ..., channels)`, or channels first; `(batch, channels)` out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> steps = np.array([[[1.0, 0.0], [3.0, 8.0]]])
        >>> mask = np.array([[True, False]])
        >>> keras.ops.convert_to_numpy(GlobalMaxPool()(steps, mask=mask)).tolist()
        [[1.0, 0.0]]

    Reference: none (standard).
    """

    def pool(self, values, seen):
        return masked_maximum(values, seen)
