"""N weights of each M."""

import dataclasses
from typing import ClassVar

from perfkit import _check
from perfkit.compress.sparsity.pattern import Pattern
from perfkit.ops import sparsity as masks


@dataclasses.dataclass(frozen=True)
class NofM(Pattern):
    """Keep `n` of each `m` weights in a row, as GPUs with sparse tensor cores want it.

    A row runs along the input channels of one output unit, as TFLite and tensor cores
    store it: axis -2 of `Dense` and of convolutions, axis -1 of transposed
    convolutions. If the last group is smaller, up to `n` of it stay. Depthwise kernels
    have no such axis and cannot be pruned so, nor can kernels with at most `n` input
    channels.

    While a schedule is still below `1 - n / m`, each group has fewer zeros:
    `round(sparsity * m)`. `"2:4"` is short for `NofM(2, 4)`.

    Args:
        n: How many weights of a group stay. From 1 to `m - 1`.
        m: How many weights are a group. From 2 to 32.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import keras
        >>> from perfkit.compress import prune
        >>> dense = keras.layers.Dense(1, name="dense", use_bias=False)
        >>> model = keras.Sequential([keras.Input((4,)), dense])
        >>> _ = dense.kernel.assign([[0.1], [-0.4], [0.3], [0.2]])
        >>> report = prune(model, pattern=NofM(2, 4))
        >>> [round(float(weight), 1) for weight in dense.kernel[:, 0]]
        [0.0, -0.4, 0.3, 0.0]

    Reference: Zhou et al., Learning N:M Fine-grained Structured Sparse Neural Networks
        From Scratch, 2021, arXiv 2102.04010. The counts are those that stay, as there;
        `sparsity_m_by_n` of tensorflow-model-optimization counts zeros.
    """

    n: int
    m: int
    comparable: ClassVar[bool] = False

    def __post_init__(self):
        _check.integer("NofM", "m", self.m, 2, 32)
        _check.integer("NofM", "n", self.n, 1, self.m - 1)

    @property
    def sparsity(self) -> float:
        """The share of zeros, `1 - n / m`."""
        return 1.0 - self.n / self.m

    @property
    def limit(self) -> float:
        """The highest sparsity, `1 - n / m`: a group cannot have more zeros."""
        return self.sparsity

    def obstacle(self, kernel) -> str:
        """Why a kernel cannot be pruned so; empty if it can."""
        if kernel.inputs is None:
            return "each of its outputs sees one input channel"
        channels = kernel.variable.shape[kernel.inputs]
        if channels <= self.n:
            few = f"{channels} input channel{'s' * (channels > 1)}"
            return f"{few}, where {self.n} of {self.m} stay"
        return ""

    def mask(self, scores, kernel, sparsity):
        """Return the mask of one kernel, true where a weight stays."""
        zeros = min(round(sparsity * self.m), self.m - self.n)
        return masks.largest_of_groups(
            scores, self.m - zeros, self.m, axis=kernel.inputs
        )
