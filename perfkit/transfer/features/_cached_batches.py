"""Batches of arrays that may be larger than memory."""

import keras
import numpy as np


class CachedBatches(keras.utils.PyDataset):
    """Batches of arrays, read as they are asked for; see `CachedFeatures.batches`."""

    def __init__(self, data, count, batch_size, shuffle, seed):
        super().__init__()
        self.epoch = 0
        self._data, self._count, self._batch_size = data, count, batch_size
        self._shuffle, self._seed = shuffle, seed
        self._order = -1, np.arange(0)  # of the samples, and in which epoch

    def __len__(self):
        return -(-self._count // self._batch_size)

    def __getitem__(self, number):
        rows = slice(number * self._batch_size, (number + 1) * self._batch_size)
        if self._shuffle:
            rows = self._samples()[rows]
        return keras.tree.map_structure(lambda x: np.array(x[rows]), self._data)

    def on_epoch_end(self):
        self.epoch += 1

    def _samples(self):
        epoch, order = self._order
        if epoch != self.epoch:
            epoch = self.epoch
            rng = np.random.default_rng((self._seed, epoch))
            order = rng.permutation(self._count)
            self._order = epoch, order
        return order
