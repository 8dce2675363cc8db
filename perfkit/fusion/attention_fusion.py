"""Modalities averaged by weights that attention gives them."""

from typing import Any

import keras

from perfkit._backend import ops
from perfkit.fusion._presence import Presence
from perfkit.fusion.projecting import Projecting
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class AttentionFusion(Projecting):
    """Average projected modalities by weights that depend on the sample.

    Each modality is scored by what it holds, and a softmax over those that are present
    gives the weights. `attention` returns them.

    Args:
        units: Channels out; `None` for those of the widest modality, without projection
            if all have as many.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ..., channels)` each, alike but for the channels; `(batch, ..., units)`
        out. Each step of a sequence has its own weights.

    Raises:
        ValueError: If `units` is out of bounds, or shapes do not fit.

    Example:
        >>> import numpy as np
        >>> image, text = np.array([[1.0]]), np.array([[np.nan]])
        >>> out = AttentionFusion()([image, text], present=np.array([[True, False]]))
        >>> float(out[0, 0])
        1.0

    Reference: Hori et al., Attention-Based Multimodal Fusion for Video Description,
        2017, arXiv 1701.03126, without the state of a decoder in the scores: they are
        `v · tanh(W x + b)` of the projections, with `W`, `b`, `v` of each modality.
    """

    def build_of(self, shapes):
        self.shape_of(shapes)
        super().build_of(shapes)
        shape = (*shapes[0][:-1], self.width(shapes))
        self.keys = [
            self.dense(shape[-1], f"key_{number}", shape, activation="tanh")
            for number in range(len(shapes))
        ]
        self.scores = [
            self.dense(1, f"score_{number}", shape, use_bias=False)
            for number in range(len(shapes))
        ]

    def fuse(self, parts, seen):
        parts = self.projected(parts, seen)
        stacked = modalities.wide(ops.stack(parts, axis=1))
        joined = ops.sum(self._shares(parts, seen) * stacked, axis=1)
        return ops.cast(joined, self.compute_dtype)

    def _shares(self, parts, seen):
        triples = zip(self.scores, self.keys, parts, strict=True)
        scores = ops.stack([score(key(x)) for score, key, x in triples], axis=1)
        table = seen.table
        if table is not None:
            ones = (1,) * (len(scores.shape) - 2)
            table = ops.reshape(table, (-1, len(parts), *ones))
        return modalities.shares(scores, table, axis=1)

    def attention(self, inputs, present=None) -> Any:
        """Weights of the modalities, which sum to 1.

        Args:
            inputs: List or dictionary, as the layer takes.
            present: Boolean `(batch, modalities)`, or `None`.

        Returns:
            `(batch, modalities)`, and the axes of steps behind these.
        """
        parts = [
            ops.convert_to_tensor(x, self.compute_dtype) for x in self.listed(inputs)
        ]
        if present is not None:
            present = ops.convert_to_tensor(present)
        seen = Presence(present, [None] * len(parts))
        parts = self.projected(seen.hide_each(parts), seen)
        return self._shares(parts, seen)[..., 0]
