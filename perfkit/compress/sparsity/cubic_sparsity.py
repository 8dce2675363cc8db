"""Sparsity that rises fast at first and then more and more slowly."""

import dataclasses

from perfkit import _check
from perfkit.ops import sparsity as ops


@dataclasses.dataclass(frozen=True)
class CubicSparsity:
    """Have sparsity rise from `initial` to `final`, fast at first.

    `s(t) = final + (initial - final) (1 - t)^3`, where `t` goes from 0 to 1 in `steps`
    training steps after step `begin`. It needs no TensorFlow. `PolynomialDecay` of
    tensorflow-model-optimization does the same with any power.

    Args:
        final: Sparsity at the end. Within [0, 1).
        steps: How many training steps it takes. At least 1.
        begin: Step at which it begins; before that, sparsity is 0. At least 0.
        initial: Sparsity at step `begin`. Within [0, 1).

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> rising = CubicSparsity(0.8, steps=100, begin=10)
        >>> [round(rising(step), 3) for step in (0, 10, 60, 110, 500)]
        [0.0, 0.0, 0.7, 0.8, 0.8]

    Reference: Zhu and Gupta, To Prune, or Not to Prune, 2017, arXiv 1710.01878.
    """

    final: float
    steps: int
    begin: int = dataclasses.field(default=0, kw_only=True)
    initial: float = dataclasses.field(default=0.0, kw_only=True)

    def __post_init__(self):
        _check.below_one("CubicSparsity", "final", self.final)
        _check.integer("CubicSparsity", "steps", self.steps)
        _check.integer("CubicSparsity", "begin", self.begin, 0)
        _check.below_one("CubicSparsity", "initial", self.initial)

    @property
    def end_step(self) -> int:
        """The first step at which it is `final`."""
        return self.begin + self.steps

    def __call__(self, step) -> float:
        if step < self.begin:
            return 0.0
        share = min((int(step) - self.begin) / self.steps, 1.0)
        return ops.cubic(share, self.initial, self.final)
