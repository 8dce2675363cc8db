"""The tensor of all products of modalities."""

import math

import keras

from perfkit._backend import ops
from perfkit.fusion.fusion import VECTORS, Fusion
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class TensorFusion(Fusion):
    """Multiply every entry of each modality with every entry of the others.

    Each modality has a 1 appended, so that the modalities themselves, and products of
    fewer of them, are among the products. An absent one is zeros and the 1. It has no
    weights; sizes multiply, so that `LowRankFusion` suits wide modalities.

    Args:
        **kwargs: See `Fusion`.

    Shape:
        `(batch, channels)` each; `(batch, products)` out, the product of all
        `channels + 1`.

    Raises:
        ValueError: If a modality is no vector.

    Example:
        >>> import numpy as np
        >>> products = TensorFusion()([np.array([[2.0]]), np.array([[3.0, 5.0]])])
        >>> keras.ops.convert_to_numpy(products).tolist()
        [[6.0, 10.0, 2.0, 3.0, 5.0, 1.0]]

    Reference: Zadeh et al., Tensor Fusion Network for Multimodal Sentiment Analysis,
        2017, arXiv 1707.07250.
    """

    ranks = VECTORS

    def fuse(self, parts, seen):
        return modalities.outer(
            [ops.concatenate([x, ops.ones_like(x[:, :1])], axis=-1) for x in parts]
        )

    def shape_of(self, shapes):
        return (shapes[0][0], math.prod(shape[-1] + 1 for shape in shapes))
