"""Low-rank adapters of kernels."""

import keras

from perfkit import _check
from perfkit._config import Configured


@keras.saving.register_keras_serializable(package="perfkit")
class LoRA(Configured):
    """Learn a change of each kernel that is a product of two thin matrices.

    The kernel, seen as a matrix of weights of a unit by units, is `W + alpha / rank *
    a b`, where `W` stays, `a` has `rank` columns, drawn uniformly within `1 /
    sqrt(rows)`, and `b` has `rank` rows of zeros. So it begins as exactly `W`. For
    `adapt`, which puts one on each of the kernels that are to be adapted.

    Args:
        rank: Number of columns of `a`, at least 1. A kernel that has fewer rows or
            columns gets as many as these.
        alpha: Size of the change, above 0; None for `rank`, by which it is divided. To
            compare ranks, keep it fixed, or let it grow with `sqrt(rank)`, which is
            rank-stabilized LoRA.
        seed: Seed of `a`; None draws anew.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> from perfkit import transfer
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
        >>> before = model.predict(np.ones((1, 8)), verbose=0)
        >>> report = transfer.adapt(model, LoRA(rank=2))
        >>> [tuple(weight.shape) for weight in model.trainable_weights]
        [(8, 2), (2, 4)]
        >>> bool((model.predict(np.ones((1, 8)), verbose=0) == before).all())
        True

    Reference: Hu et al., LoRA: Low-Rank Adaptation of Large Language Models, 2021,
        arXiv 2106.09685; Kalajdzievski, A Rank Stabilization Scaling Factor for
        Fine-Tuning with LoRA, 2023, arXiv 2312.03732. `a` is uniform, as in the
        authors' code; the paper draws it from a normal distribution.
    """

    decomposed = False  # whether norms of the units are learnt by themselves

    def __init__(self, rank=8, *, alpha=None, seed=None):
        name = type(self).__name__
        self.rank = _check.integer(name, "rank", rank)
        self.alpha = _check.positive(
            name, "alpha", self.rank if alpha is None else alpha
        )
        self.seed = None if seed is None else _check.integer(name, "seed", seed, 0)

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    @property
    def scale(self) -> float:
        """What the product of the two matrices is multiplied by."""
        return self.alpha / self.rank

    def __str__(self):
        return f"{type(self).__name__}(rank={self.rank}, alpha={self.alpha:.6g})"
