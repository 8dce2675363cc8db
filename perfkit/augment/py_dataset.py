"""Augmentation of a `keras.utils.PyDataset` on the host."""

import keras
import numpy as np

from perfkit import _check
from perfkit.augment import _pairs
from perfkit.augment.base import Augment


class AugmentedPyDataset(keras.utils.PyDataset):
    """Augment the batches of a `PyDataset` on the host, in any number of workers.

    By OpenCV and NumPy, with draws that depend on the seed, the epoch and the number
    of the sample alone: the images are the same whatever the number of workers.
    `epoch` counts the calls of `on_epoch_end`; `fit` makes one more when it looks at
    the data first. Keep it with a checkpoint and pass it on, and a resumed run goes on
    as if it had not stopped.

    Args:
        dataset: `keras.utils.PyDataset` of batches: arrays, dicts, or tuples that
            begin with one of these. Where the layer mixes samples, the second entry
            of tuples is the labels.
        layer: Augmentation layer of perfkit, a `Pipeline` for instance.
        seed: Whole number. At least 0.
        epoch: Number of the first epoch. At least 0.
        **kwargs: See `keras.utils.PyDataset` (`workers`, `use_multiprocessing`,
            `max_queue_size`).

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If `seed` or `epoch` is out of bounds.

    Example:
        >>> from perfkit import augment
        >>> class Zeros(keras.utils.PyDataset):
        ...     def __len__(self):
        ...         return 2
        ...
        ...     def __getitem__(self, number):
        ...         return np.zeros((4, 8, 8, 3), "uint8"), np.arange(4)
        >>> dataset = AugmentedPyDataset(Zeros(), augment.RandomBrightness(0.5))
        >>> images, labels = dataset[1]
        >>> images.shape == (4, 8, 8, 3)
        True

    Reference: none.
    """

    def __init__(self, dataset, layer, *, seed=0, epoch=0, **kwargs):
        super().__init__(**kwargs)
        owner = "AugmentedPyDataset"
        kind = keras.utils.PyDataset
        self.dataset = _check.instance(owner, "dataset", dataset, kind)
        self.layer = _check.instance(owner, "layer", layer, Augment)
        self.seed = _check.integer(owner, "seed", seed, 0, 2**32 - 1)
        self.epoch = _check.integer(owner, "epoch", epoch, 0, 2**31 - 1)
        self._batch_size = None

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, number):
        element = self.dataset[number]
        if self._batch_size is None:
            first = element if number == 0 else self.dataset[0]
            self._batch_size = self._samples(first)
        samples, start = self._samples(element), number * self._batch_size
        if samples > self._batch_size:
            raise ValueError(
                "AugmentedPyDataset: counts samples by the size of the first batch, "
                f"{self._batch_size}, which none may exceed. Received {samples} in "
                f"batch {number}."
            )
        index = np.arange(start, start + samples)

        def call(inputs):
            seed = self.seed, self.epoch
            return self.layer.on_host(inputs, seed=seed, index=index)

        return _pairs.augmented(element, self.layer, call)

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()
        self.epoch += 1

    def _samples(self, element):
        main = element[0] if isinstance(element, tuple) else element
        return len(main[self.layer.modality.main] if isinstance(main, dict) else main)
