"""The mean of modalities."""

import keras

from perfkit._backend import dtype_of, ops
from perfkit.fusion.sum import Sum
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class Mean(Sum):
    """Average the modalities that are present, projected if their widths differ.

    Of predictions it is late fusion. A sample without any modality gets zeros.

    Args:
        units: Channels to which each modality is projected, or `None`: those of the
            widest, and no projection if all have as many.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ..., channels)` each, alike but for the channels; `(batch, ..., units)`
        out.

    Raises:
        ValueError: If `units` is out of bounds, or shapes do not fit.

    Example:
        >>> import numpy as np
        >>> image, text = np.array([[1.0], [1.0]]), np.array([[3.0], [np.nan]])
        >>> present = np.array([[True, True], [True, False]])
        >>> keras.ops.convert_to_numpy(Mean()([image, text], present=present)).tolist()
        [[2.0], [1.0]]

    Reference: none (standard).
    """

    def fuse(self, parts, seen):
        parts = self.projected(parts, seen)
        total = sum(modalities.wide(x) for x in parts)
        counts = seen.counts(dtype_of(total))
        if counts is None:
            mean = total / len(parts)
        else:
            counts = ops.maximum(counts, 1)
            ones = (1,) * (len(parts[0].shape) - 1)
            mean = total / ops.reshape(counts, (-1, *ones))
        return ops.cast(mean, self.compute_dtype)
