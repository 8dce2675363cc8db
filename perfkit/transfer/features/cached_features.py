"""Features of a backbone for some data, and what else belongs to the samples."""

import pathlib
from typing import Any

import keras

from perfkit import _check
from perfkit.transfer._shuffled import ShuffledBatches, samples
from perfkit.transfer.features._feature_data import NAMES


class CachedFeatures:
    """Hold the features of samples beside their labels and weights.

    What `cache_features` returns. Where it was given a path, arrays are mapped into
    memory: read from the file as they are looked at, and not to be written to.

    Given these arrays, `fit` of Keras 3.15 copies all of them into memory on
    TensorFlow, which takes twice the size of the file, as with any array; on JAX it
    reads batch by batch. float16 it makes float32 first, which takes six times
    the size of the file and four times. `batches` reads batch by batch on both.

    Args:
        arrays: Structures of arrays by "x" (the features) and, where there are,
            "y" and "sample_weight". The first axis is that of the samples.
        key: Hash of the backbone, of the data and of the features' dtype.
        path: Folder of the arrays, or `None` where they are in memory.

    Attributes:
        x: Features: an array `(samples, ...)` or a structure of arrays.
        y: What the data had as labels, or `None`.
        sample_weight: What the data had as weights, or `None`.

    Example:
        >>> import numpy as np
        >>> arrays = {"x": np.eye(3), "y": np.arange(3)}
        >>> cache = CachedFeatures(arrays, "a key")
        >>> len(cache), len(cache.data)
        (3, 2)
        >>> features, labels = cache.batches(2, shuffle=False)[1]
        >>> features.tolist(), labels.tolist()
        ([[0.0, 0.0, 1.0]], [2])

    Reference: none (standard).
    """

    def __init__(
        self, arrays: dict[str, Any], key: str, path: pathlib.Path | None = None
    ):
        self.x, self.y, self.sample_weight = (arrays.get(name) for name in NAMES)
        self.key, self.path = key, path

    def __len__(self) -> int:
        return samples(self.x)

    def __repr__(self) -> str:
        kinds = keras.tree.map_structure(lambda a: f"{a.dtype}{a.shape[1:]}", self.x)
        where = "in memory" if self.path is None else f"in {self.path}"
        return f"CachedFeatures({len(self)} samples, x={kinds}, {where})"

    @property
    def data(self) -> tuple[Any, ...]:
        """`(x,)`, `(x, y)` or `(x, y, sample_weight)`, as in `validation_data`.

        The first two can be handed to `fit` with a star, whose third argument is not
        the weights: where there are some, `fit(**cache.arguments)`.
        """
        if self.sample_weight is not None:
            return self.x, self.y, self.sample_weight
        return (self.x,) if self.y is None else (self.x, self.y)

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments of `fit` and `evaluate` by name: `fit(**cache.arguments)`."""
        return dict(zip(NAMES, self.data, strict=False))

    def batches(self, batch_size, *, shuffle=True, seed=0) -> keras.utils.PyDataset:
        """Return batches for `fit` that are read from the file as they are needed.

        The order of the samples depends on `seed` and on `epoch` alone, an attribute of
        what is returned that counts the calls of `on_epoch_end`; `fit` makes one more
        when it looks at the data first. Give `fit` `shuffle=False`: it would put
        the batches in another order, which depends on Python's own generator.

        Args:
            batch_size: Samples of a batch. At least 1; the last may have fewer.
            shuffle: Whether each epoch has its own order, or all have that of the data.
            seed: Whole number. At least 0.

        Raises:
            ValueError: If a number is out of bounds.
            TypeError: If `shuffle` is no boolean.
        """
        owner = "batches"
        return ShuffledBatches(
            self.data,
            _check.integer(owner, "batch_size", batch_size),
            _check.boolean(owner, "shuffle", shuffle),
            _check.integer(owner, "seed", seed, 0),
        )
