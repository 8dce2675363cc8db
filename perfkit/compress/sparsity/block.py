"""Blocks of weights."""

import dataclasses
import math

import numpy as np

from perfkit import _check
from perfkit.compress.sparsity.pattern import Pattern
from perfkit.ops import sparsity as masks


@dataclasses.dataclass(frozen=True)
class Block(Pattern):
    """Prune blocks of weights, such as kernels written for vector units can skip.

    Blocks lie in the last two axes of a kernel as Keras stores it: input channels by
    output channels of `Dense` and of convolutions, at each place of these. Those at the
    end may be smaller. The sparsity is the share of blocks that are zero.

    Args:
        shape: Rows and columns of a block. Each at least 1, and not both 1.
        pooling: What the score of a block is of the scores of its weights, `"mean"` or
            `"max"`.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import keras
        >>> from perfkit.compress import prune
        >>> dense = keras.layers.Dense(4, name="dense", use_bias=False)
        >>> model = keras.Sequential([keras.Input((1,)), dense])
        >>> _ = dense.kernel.assign([[3.0, 0.5, 2.0, 2.5]])
        >>> report = prune(model, 0.5, pattern=Block((1, 2)))
        >>> [float(weight) for weight in dense.kernel[0]]
        [0.0, 0.0, 2.0, 2.5]

    Reference: Narang et al., Block-Sparse Recurrent Neural Networks, 2017, arXiv
        1711.02782, which takes the largest of a block.
    """

    shape: tuple[int, int]
    pooling: str = "mean"

    def __post_init__(self):
        _check.whole_numbers("Block", "shape", self.shape, 2, 1, 1024)
        object.__setattr__(self, "shape", tuple(self.shape))
        if self.shape == (1, 1):
            expected = "larger than one weight, for which there is `Unstructured()`"
            _check.fail("Block", "shape", expected, self.shape)
        _check.one_of("Block", "pooling", self.pooling, ("mean", "max"))

    def obstacle(self, kernel) -> str:
        """Why a kernel cannot be pruned so; empty if it can."""
        *places, rows, columns = kernel.variable.shape
        whole = rows <= self.shape[0] and columns <= self.shape[1]
        return "all of it is one block" if whole and math.prod(places) == 1 else ""

    def magnitudes(self, value):
        """Return the magnitudes themselves, whose means count."""
        wide = "float64" if value.dtype == "float64" else "float32"
        return np.abs(value.astype(wide, copy=False))

    def groups(self, scores):
        """Return the score of each block."""
        return masks.pooled(scores, self.shape, self.pooling)

    def spread(self, mask, shape):
        """Return the mask of the weights from that of the blocks."""
        return masks.spread(mask, self.shape, shape)
