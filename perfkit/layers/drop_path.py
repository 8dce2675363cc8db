"""Stochastic depth, sample by sample."""

import keras

from perfkit._backend import ops
from perfkit.layers.dropping import Dropping


@keras.saving.register_keras_serializable(package="perfkit")
class DropPath(Dropping):
    """Drop the branch of a residual block for some samples, each by itself.

    It goes at the end of the branch, before the sum: `x + DropPath(0.1)(branch(x))`.
    `StochasticDepth` drops the branch for all samples of a batch at once.

    Args:
        rate: Probability that a sample goes without the branch. Within [0, 1).
        **kwargs: See `Dropping` (`seed`, ...).

    Shape:
        `(batch, ...)`; same shape out.

    Raises:
        ValueError: If `rate` is out of bounds.

    Example:
        >>> import numpy as np
        >>> out = DropPath(0.5, seed=1)(np.ones((1000, 2)), training=True)
        >>> np.unique(keras.ops.convert_to_numpy(out)).tolist()
        [0.0, 2.0]

    Reference: Larsson et al., FractalNet, 2016, arXiv 1605.07648; Huang et al., Deep
        Networks with Stochastic Depth, 2016, arXiv 1603.09382, which drops for a batch,
        and scales at inference instead.
    """

    def drop(self, inputs):
        shape = ops.shape(inputs)
        each = (shape[0],) + (1,) * (len(shape) - 1)
        return self.enlarged(inputs, 1.0 - self.hits(each, self.rate))
