"""The tensor of all products of modalities, in a few factors."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.fusion.fusion import VECTORS, Fusion
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class LowRankFusion(Fusion):
    """Make a linear map of the products of all modalities, without forming them.

    It is what `TensorFusion` and a dense layer make, if the tensor of its weights has a
    limited rank. Each modality has a 1 appended, so that products of fewer modalities
    are among them; an absent one is zeros and the 1.

    Args:
        units: Channels out. At least 1.
        rank: Terms of which the tensor of weights is the sum. At least 1.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, channels)` each; `(batch, units)` out.

    Raises:
        ValueError: If an argument is out of bounds, or a modality is no vector.

    Example:
        >>> import numpy as np
        >>> layer = LowRankFusion(3, rank=2)
        >>> layer([np.ones((2, 4)), np.ones((2, 5))]).shape == (2, 3)
        True
        >>> sum(weight.shape == (5, 6) for weight in layer.weights)
        1

    Reference: Liu et al., Efficient Low-rank Multimodal Fusion, 2018, arXiv 1806.00064.
        The sum over the terms is plain, as in the paper, and a bias is added, as in the
        authors' code.
    """

    ranks = VECTORS

    def __init__(self, units, rank=4, **kwargs):
        super().__init__(**kwargs)
        self.units = _check.integer("LowRankFusion", "units", units)
        self.rank = _check.integer("LowRankFusion", "rank", rank)

    def build_of(self, shapes):
        # The kernel's bias, for the 1 appended, begins like the rest of the factor.
        self.factors = [
            self.dense(
                self.rank * self.units,
                f"factor_{number}",
                shape,
                bias_initializer=keras.initializers.RandomNormal(
                    stddev=math.sqrt(1 / (shape[-1] + 1))
                ),
            )
            for number, shape in enumerate(shapes)
        ]
        self.bias = self.add_weight(
            shape=(self.units,), initializer="zeros", name="bias"
        )

    def fuse(self, parts, seen):
        pairs = zip(self.factors, parts, strict=True)
        product = math.prod(modalities.wide(factor(x)) for factor, x in pairs)
        terms = ops.reshape(product, (-1, self.rank, self.units))
        joined = ops.cast(ops.sum(terms, axis=1), self.compute_dtype)
        return joined + ops.cast(self.bias, self.compute_dtype)

    def shape_of(self, shapes):
        return (shapes[0][0], self.units)
