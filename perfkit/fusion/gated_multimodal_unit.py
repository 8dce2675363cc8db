"""Modalities let through by learned gates."""

import keras

from perfkit._backend import ops
from perfkit.fusion.projecting import Projecting
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class GatedMultimodalUnit(Projecting):
    """Add up projections of the modalities, let through by gates that see all of them.

    Each modality becomes `tanh` of a projection. The gates of two modalities are tied:
    they sum to 1 for each unit, and one alone is let through in full. Three or more
    have gates of their own.

    Args:
        units: Channels out; `None` for those of the widest modality.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ..., channels)` each, alike but for the channels; `(batch, ..., units)`
        out.

    Raises:
        ValueError: If `units` is out of bounds, or shapes do not fit.

    Example:
        >>> import numpy as np
        >>> unit = GatedMultimodalUnit(3)
        >>> unit([np.ones((2, 4)), np.ones((2, 5))]).shape == (2, 3)
        True
        >>> [tuple(weight.shape) for weight in unit.weights]
        [(4, 3), (5, 3), (9, 3)]

    Reference: Arevalo et al., Gated Multimodal Units for Information Fusion, 2017,
        arXiv 1702.01992. As there, nothing has a bias. An absent modality is zeros for
        the gates.
    """

    def build_of(self, shapes):
        width = self.width(shapes)
        self.shape_of(shapes)
        self.projections = [
            self.dense(
                width, f"projection_{n}", shape, activation="tanh", use_bias=False
            )
            for n, shape in enumerate(shapes)
        ]
        gates = width if len(shapes) == 2 else width * len(shapes)
        total = sum(shape[-1] for shape in shapes)
        self.gate = self.dense(gates, "gate", (*shapes[0][:-1], total), use_bias=False)

    def fuse(self, parts, seen):
        scores = modalities.wide(self.gate(ops.concatenate(parts, axis=-1)))
        parts = [modalities.wide(x) for x in self.projected(parts, seen)]
        if len(parts) == 2:
            scores = ops.stack([scores, ops.zeros_like(scores)], axis=1)
            table = seen.table
            if table is not None:
                ones = (1,) * (len(scores.shape) - 2)
                table = ops.reshape(table, (-1, 2, *ones))
            gates = modalities.shares(scores, table, axis=1)
            joined = ops.sum(gates * ops.stack(parts, axis=1), axis=1)
        else:
            gates = ops.split(ops.sigmoid(scores), len(parts), axis=-1)
            pairs = zip(gates, parts, strict=True)
            joined = sum(gate * x for gate, x in pairs)
        return ops.cast(joined, self.compute_dtype)
