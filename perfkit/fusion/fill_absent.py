"""Learned stand-ins for what is absent."""

import keras

from perfkit._backend import ops
from perfkit.fusion.fusion import Fusion


@keras.saving.register_keras_serializable(package="perfkit")
class FillAbsent(Fusion):
    """Put a learned vector in the place of each modality that a sample lacks.

    In front of a layer that knows nothing of absent modalities. The vectors begin as
    zeros.

    Args:
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ..., channels)` each; a list of the same shapes out, or a dictionary.
        The places of a modality get the same vector.

    Example:
        >>> import numpy as np
        >>> layer, inputs = FillAbsent(), [np.array([[1.0]]), np.array([[np.nan]])]
        >>> layer.build([(1, 1), (1, 1)])
        >>> layer.set_weights([np.array([7.0]), np.array([8.0])])
        >>> filled = layer(inputs, present=np.array([[True, False]]))
        >>> [float(x[0, 0]) for x in filled]
        [1.0, 8.0]

    Reference: none (standard).
    """

    least = 1

    def build_of(self, shapes):
        self.stand_ins = [
            self.add_weight(
                shape=(shape[-1],), initializer="zeros", name=f"stand_in_{number}"
            )
            for number, shape in enumerate(shapes)
        ]

    def fuse(self, parts, seen):
        if seen.table is None:
            return parts
        return [
            ops.where(
                ops.reshape(seen.table[:, number], (-1, *(1,) * (len(x.shape) - 1))),
                x,
                ops.cast(self.stand_ins[number], x.dtype),
            )
            for number, x in enumerate(parts)
        ]

    def compute_mask(self, inputs, previous_mask=None):
        return previous_mask

    def shape_of(self, shapes):
        return list(shapes)
