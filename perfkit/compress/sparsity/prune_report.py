"""The report of what is zero in a model."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from perfkit.graph.arrays import array


@dataclasses.dataclass(frozen=True)
class PrunedKernel:
    """How much of one kernel is zero.

    Attributes:
        path: Names of the layers from the model down and of the variable, joined with a
            slash.
        shape: Its shape.
        weights: How many weights it has.
        zeros: How many of them are 0.

    Example:
        >>> PrunedKernel("dense/kernel", (4, 5), 20, 15).sparsity
        0.75
    """

    path: str
    shape: tuple[int, ...]
    weights: int
    zeros: int

    @property
    def sparsity(self) -> float:
        """The share of zeros, within [0, 1]."""
        return self.zeros / self.weights


@dataclasses.dataclass(frozen=True)
class PruneReport:
    """What is zero in the kernels that were pruned, and what was left out.

    Attributes:
        kernels: One `PrunedKernel` for each kernel.
        left_out: Why a kernel or a layer was not pruned, by its path.

    Example:
        >>> kernel = PrunedKernel("dense/kernel", (4, 5), 20, 15)
        >>> print(PruneReport((kernel,), {}))
        75.00% of 20 weights are 0, in 1 kernel
          dense/kernel    75.00% of 20
    """

    kernels: tuple[PrunedKernel, ...]
    left_out: Mapping[str, str]

    @property
    def weights(self) -> int:
        """How many weights the kernels have."""
        return sum(kernel.weights for kernel in self.kernels)

    @property
    def zeros(self) -> int:
        """How many of them are 0."""
        return sum(kernel.zeros for kernel in self.kernels)

    @property
    def sparsity(self) -> float:
        """The share of zeros, within [0, 1]."""
        return self.zeros / self.weights

    def __str__(self):
        noun = "kernel" if len(self.kernels) == 1 else "kernels"
        header = f"{self.sparsity:.2%} of {self.weights:,} weights are 0, in "
        lines = [f"{header}{len(self.kernels)} {noun}"]
        width = max(len(kernel.path) for kernel in self.kernels)
        for kernel in self.kernels:
            line = f"  {kernel.path:{width}}  {kernel.sparsity:8.2%}"
            lines.append(f"{line} of {kernel.weights:,}")
        if self.left_out:
            lines.append("left out")
        lines += [f"  {path}: {reason}" for path, reason in self.left_out.items()]
        return "\n".join(lines)


def report_of(kernels, left_out=()) -> PruneReport:
    """Count the zeros of kernels, which have a path and a variable."""
    rows = []
    for kernel in kernels:
        value = array(kernel.variable)
        zeros = value.size - int(np.count_nonzero(value))
        rows.append(PrunedKernel(kernel.path, value.shape, value.size, zeros))
    return PruneReport(tuple(rows), dict(left_out))
