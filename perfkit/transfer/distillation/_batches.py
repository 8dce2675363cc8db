"""Batches in an order of one's own, the same in each run."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Batches of arrays, shuffled anew in each epoch, by the seed and its number.

    Args:
        data: Arrays of one first axis, nested in any way; None in it stays.
        batch_size: Samples in a batch; the last one may have fewer.
        seed: Whole number. At least 0.
    """

    def __init__(self, data, batch_size, seed):
        super().__init__()
        self.data = keras.tree.map_structure(
            lambda x: None if x is None else np.asarray(x), data
        )
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0
        self._shuffle()

    def _shuffle(self):
        rng = np.random.default_rng((self.seed, self.epoch))
        self._order = rng.permutation(samples(self.data))

    def __len__(self):
        return -(-len(self._order) // self.batch_size)

    def __getitem__(self, number):
        start = number * self.batch_size
        rows = self._order[start : start + self.batch_size]
        return keras.tree.map_structure(
            lambda x: None if x is None else x[rows], self.data
        )

    def on_epoch_end(self):
        self.epoch += 1
        self._shuffle()


def samples(data) -> int:
    """Length of the first axis of arrays."""
    return len(next(x for x in keras.tree.flatten(data) if x is not None))
