"""The sum of modalities."""

import keras

from perfkit.fusion.projecting import Projecting


@keras.saving.register_keras_serializable(package="perfkit")
class Sum(Projecting):
    """Add the modalities up, each projected if they have different widths.

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
        >>> image, text = np.array([[1.0, 2.0]]), np.array([[3.0, 5.0]])
        >>> keras.ops.convert_to_numpy(Sum()([image, text])).tolist()
        [[4.0, 7.0]]

    Reference: none (standard).
    """

    def build_of(self, shapes):
        self.require_alike(shapes)
        super().build_of(shapes)

    def fuse(self, parts, seen):
        return sum(self.projected(parts, seen))
