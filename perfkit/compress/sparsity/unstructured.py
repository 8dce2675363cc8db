"""Single weights."""

import dataclasses

from perfkit.compress.sparsity.pattern import Pattern


@dataclasses.dataclass(frozen=True)
class Unstructured(Pattern):
    """Prune single weights, wherever they are.

    At a given sparsity this pattern costs least accuracy. `"unstructured"` is short for
    it.

    Example:
        >>> import keras
        >>> from perfkit.compress import prune
        >>> dense = keras.layers.Dense(5, name="dense")
        >>> model = keras.Sequential([keras.Input((4,)), dense])
        >>> prune(model, 0.8, pattern=Unstructured()).zeros
        16

    Reference: Han et al., Learning both Weights and Connections, 2015, arXiv
        1506.02626.
    """
