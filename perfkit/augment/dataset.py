"""Augmentation of a `tf.data.Dataset` that draws by the number of the batch."""

from typing import Any

from perfkit import _backend, _check
from perfkit.augment import _pairs, replay
from perfkit.augment.base import Augment

_EPOCH = 0x9E3779B1  # how far batches of one epoch are numbered from the next one's


def augment_dataset(dataset, layer, *, seed=0, first=0) -> Any:
    """Map a layer over a `tf.data.Dataset`, with draws by the number of the batch.

    In parallel and in order, and to the bit the same as one after the other: what is
    drawn for a batch depends on `seed` and its number alone. A run that is resumed
    with `dataset.skip(n)` and `first=n` goes on as if it had not stopped. So each pass
    over the result draws the same. For new draws in each epoch, repeat before it:
    `augment_dataset(dataset.repeat(), ...)`, with `fit(steps_per_epoch=...)`.

    Args:
        dataset: Batches: arrays, dicts, or tuples that begin with one of these.
            Where the layer mixes samples, the second entry of tuples is the labels.
        layer: Augmentation layer of perfkit, a `Pipeline` for instance.
        seed: Whole number, or a pair of them such as `(seed, epoch)`. At least 0.
        first: Number of the first batch. At least 0.

    Returns:
        A `tf.data.Dataset` of what the layer makes of the batches.

    Raises:
        TypeError: If `layer` is not one of perfkit's.
        ValueError: If `seed` or `first` is out of bounds.

    Example:
        >>> import numpy as np
        >>> import tensorflow as tf
        >>> from perfkit import augment
        >>> images = tf.data.Dataset.from_tensor_slices(np.zeros((8, 4, 4, 1)))
        >>> bright = augment_dataset(images.batch(4), augment.RandomBrightness(0.5))
        >>> runs = [[batch.numpy() for batch in bright] for _ in range(2)]
        >>> np.array_equal(*runs)
        True

    Reference: none.
    """
    owner = "augment_dataset"
    layer = _check.instance(owner, "layer", layer, Augment)
    first = _check.integer(owner, "first", first, 0)
    word, other = [int(word) for word in replay.key(owner, seed)]
    start = (other * _EPOCH + 2**31) % 2**32 - 2**31
    tf = _backend.tensorflow()
    dataset = _check.instance(owner, "dataset", dataset, tf.data.Dataset)

    def augmented(number, element):
        key = tf.stack([word, tf.cast(number, "int32") + start])
        return _pairs.augmented(element, layer, lambda x: layer.with_key(x, key))

    def call(number, *element):
        return augmented(number, element[0] if len(element) == 1 else element)

    numbered = dataset.enumerate(first)
    return numbered.map(call, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
