"""Whole modalities left out while training."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import dtype_of, ops
from perfkit.fusion.fusion import Fusion
from perfkit.ops import modalities


@keras.saving.register_keras_serializable(package="perfkit")
class ModalityDropout(Fusion):
    """Leave out whole modalities of each sample while training, but never all of them.

    A model then learns to do without any of them. What is left out, or absent, is
    zeros, or ones if it holds whole numbers, of which 0 is padding. Nothing is
    enlarged.

    Args:
        rate: Probability that a modality of a sample is left out. If all of a sample
            were to be, one of those present stays, each as likely. Within [0, 1).
        seed: Whole number below 2**32, or `None` for a different stream at each
            construction.
        **kwargs: See `Fusion`.

    Shape:
        `(batch, ...)` each; a list of the same shapes out, or a dictionary, and a
        boolean `(batch, modalities)`: which of them are there.

    Raises:
        ValueError: If `rate` or `seed` is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer, ones = ModalityDropout(0.5, seed=1), np.ones((1000, 1))
        >>> (image, text), present = layer([ones, ones], training=True)
        >>> shares = keras.ops.convert_to_numpy(present).mean(axis=0)
        >>> (np.abs(shares - 0.625) < 0.05).tolist()  # 0.5, and half of 0.25
        [True, True]

    Reference: Neverova et al., ModDrop: Adaptive Multi-modal Gesture Recognition, 2014,
        arXiv 1501.00102, which may leave out all modalities.
    """

    least = 1

    def __init__(self, rate=0.3, *, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.rate = _check.below_one("ModalityDropout", "rate", rate)
        if seed is not None:
            seed = _check.integer("ModalityDropout", "seed", seed, 0, 2**32 - 1)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, present=None, mask=None, inputs_mask=None, training=False):
        parts = self.listed(inputs)
        if present is None:
            present = ops.ones((ops.shape(parts[0])[0], len(parts)), dtype="bool")
            some_are_absent = False
        else:
            present, some_are_absent = ops.cast(present, "bool"), True
        if training and self.rate > 0.0:
            present, some_are_absent = self._kept(present), True
        if some_are_absent:
            parts = [
                modalities.hidden(x, present[:, number], _nothing(x))
                for number, x in enumerate(parts)
            ]
        return self.arranged(inputs, parts), present

    def _kept(self, present):
        drawn = keras.random.uniform(
            ops.shape(present), dtype="float32", seed=self.seed_generator
        )
        drawn = ops.where(present, drawn, ops.full_like(drawn, -1.0))
        last = ops.equal(drawn, ops.max(drawn, axis=1, keepdims=True))
        return present & ((drawn >= self.rate) | last)

    def compute_output_shape(self, input_shape):
        shapes = self.listed(input_shape)
        return self.arranged(input_shape, shapes), (shapes[0][0], len(shapes))

    def compute_output_spec(self, inputs, *arguments, **kwargs):
        parts = [
            keras.KerasTensor(x.shape, dtype=dtype_of(x)) for x in self.listed(inputs)
        ]
        shape = (parts[0].shape[0], len(parts))
        return self.arranged(inputs, parts), keras.KerasTensor(shape, dtype="bool")

    def compute_mask(self, inputs, previous_mask=None) -> Any:
        return None if previous_mask is None else (previous_mask, None)


def _nothing(x):
    return 1 if "int" in dtype_of(x) else 0
