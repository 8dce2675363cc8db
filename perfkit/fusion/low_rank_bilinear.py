"""Products of projections."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion.fusion import Fusion
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class LowRankBilinear(Fusion):
    """Multiply projections of the modalities entry by entry, and project the product.

    Every output is a bilinear form of the modalities, of a limited rank. An absent
    modality is a factor of 1.

    Args:
        units: Channels out. At least 1.
        rank: Channels of the projections that are multiplied. At least 1; `None` for
            `units`.
        activation: What follows the projections, as in `keras.layers.Dense`; `None`
            leaves the form bilinear.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ..., channels)` each, alike but for the channels; `(batch, ..., units)`
        out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer = LowRankBilinear(3, rank=2)
        >>> layer([np.ones((2, 4)), np.ones((2, 5))]).shape == (2, 3)
        True

    Reference: Kim et al., Hadamard Product for Low-rank Bilinear Pooling, 2016, arXiv
        1610.04325; with biases of the projections, which the paper has, too.
    """

    def __init__(self, units, rank=None, *, activation="tanh", **kwargs):
        super().__init__(**kwargs)
        self.units = _check.integer("LowRankBilinear", "units", units)
        if rank is not None:
            rank = _check.integer("LowRankBilinear", "rank", rank)
        self.rank = rank
        keras.activations.get(activation)
        self.activation = activation

    def build_of(self, shapes):
        rank = self.rank or self.units
        self.projections = [
            self.dense(rank, f"projection_{n}", shape, activation=self.activation)
            for n, shape in enumerate(shapes)
        ]
        self.output_dense = self.dense(self.units, "output", (None, rank))

    def fuse(self, parts, seen):
        factors = [
            seen.hide(number, project(x), 1)
            for number, (project, x) in enumerate(
                zip(self.projections, parts, strict=True)
            )
        ]
        product = math.prod(modalities.wide(x) for x in factors)
        return self.output_dense(ops.cast(product, self.compute_dtype))

    def shape_of(self, shapes):
        return (*shapes[0][:-1], self.units)
