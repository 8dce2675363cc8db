"""Stochastic depth, batch by batch."""

import keras

from perfkit.layers.dropping import Dropping


@keras.saving.register_keras_serializable(package="perfkit")
class StochasticDepth(Dropping):
    """Drop the branch of a residual block for a whole batch, now and then.

    It goes at the end of the branch, before the sum. `DropPath` throws a coin for each
    sample, which varies less from batch to batch.

    Args:
        rate: Probability that a batch goes without the branch. Within [0, 1).
        **kwargs: See `Dropping` (`seed`, ...).

    Shape:
        `(batch, ...)`; same shape out.

    Raises:
        ValueError: If `rate` is out of bounds.

    Example:
        >>> import numpy as np
        >>> layer, ones = StochasticDepth(0.5, seed=1), np.ones((4, 2))
        >>> sums = {float(keras.ops.sum(layer(ones, training=True))) for _ in range(20)}
        >>> sorted(sums)
        [0.0, 16.0]

    Reference: Huang et al., Deep Networks with Stochastic Depth, 2016, arXiv
        1603.09382, which scales at inference instead. TensorFlow Addons' layer of
        this name also made the sum.
    """

    def drop(self, inputs):
        return self.enlarged(inputs, 1.0 - self.hits((), self.rate))
