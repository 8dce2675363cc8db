"""Batches of arrays in an order that a seed gives."""

import keras
import numpy as np


class ShuffledBatches(keras.utils.PyDataset):
    """Batches of arrays, of which each is read when it is asked for.

    The order of an epoch depends on the seed and the number of the epoch alone. Give
    `fit` `shuffle=False`, or Keras puts the batches into another one.

    Args:
        data: Arrays of one first axis, mapped into memory or not, nested in any way;
            None in it stays.
        batch_size: Samples in a batch; the last one may have fewer.
        shuffle: Whether epochs have orders of their own, or all that of the arrays.
        seed: Whole number. At least 0.
    """

    def __init__(self, data, batch_size, shuffle, seed):
        super().__init__()
        self.epoch = 0
        self._data = keras.tree.map_structure(
            lambda x: None if x is None else np.asarray(x), data
        )
        self._count = samples(data)
        self._batch_size, self._shuffle, self._seed = batch_size, shuffle, seed
        self._order = -1, np.arange(0)  # of the samples, and in which epoch

    def __len__(self):
        return -(-self._count // self._batch_size)

    def __getitem__(self, number):
        rows = slice(number * self._batch_size, (number + 1) * self._batch_size)
        if self._shuffle:
            rows = self._samples()[rows]
        return keras.tree.map_structure(
            lambda x: None if x is None else np.array(x[rows]), self._data
        )

    def on_epoch_end(self):
        self.epoch += 1

    def _samples(self):
        epoch, order = self._order
        if epoch != self.epoch:
            epoch = self.epoch
            order = np.random.default_rng((self._seed, epoch)).permutation(self._count)
            self._order = epoch, order
        return order


def samples(data) -> int:
    """Length of the first axis of arrays, nested in any way."""
    return len(next(x for x in keras.tree.flatten(data) if x is not None))
