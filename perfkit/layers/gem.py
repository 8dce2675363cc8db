"""Pooling by a learned power mean."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.pooling import Pooling

# Powers between these are told apart from a geometric mean and from a maximum.
_LEAST, _MOST = 0.01, 1000.0


@keras.saving.register_keras_serializable(package="perfkit")
class GeM(Pooling):
    """Pool the places by a power mean whose power is learned.

    Power 1 is average pooling, and the larger the power, the nearer it is to maximum
    pooling. For features that are not negative, such as those behind a ReLU: less than
    `epsilon` counts as `epsilon`.

    Args:
        p: Power at first. Within [0.01, 1000], in which it stays.
        learned: Whether the power is trained.
        per_channel: Whether each channel has a power of its own.
        epsilon: Least feature. Above 0.
        **kwargs: See `Pooling` (`data_format`, `keepdims`).

    Shape:
        `(batch, ..., channels)`, or channels first; `(batch, channels)` out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> steps = np.array([[[1.0], [7.0]]])
        >>> [round(float(GeM(p)(steps)[0, 0]), 2) for p in (1, 2, 1000)]
        [4.0, 5.0, 7.0]

    Reference: Radenovic et al., Fine-tuning CNN Image Retrieval with No Human
        Annotation, 2017, arXiv 1711.02512.
    """

    def __init__(
        self, p=3.0, *, learned=True, per_channel=False, epsilon=1e-6, **kwargs
    ):
        super().__init__(**kwargs)
        self.p = _check.number("GeM", "p", p, _LEAST, _MOST)
        self.learned = _check.boolean("GeM", "learned", learned)
        self.per_channel = _check.boolean("GeM", "per_channel", per_channel)
        self.epsilon = _check.positive("GeM", "epsilon", epsilon, 1.0)

    def build(self, input_shape):
        channels = input_shape[1 if self.data_format == "channels_first" else -1]
        self.power = self.add_weight(
            shape=(channels,) if self.per_channel else (),
            initializer=keras.initializers.Constant(self.p),
            constraint=_InBounds(),
            trainable=self.learned,
            name="power",
        )

    def pool(self, values, seen):
        power = ops.cast(self.power, values.dtype)
        logs = ops.log(ops.maximum(values, self.epsilon))
        # Relative to the largest, powers neither overflow nor vanish.
        largest = ops.stop_gradient(ops.max(logs, axis=1, keepdims=True))
        powers = ops.where(seen, ops.exp(power * (logs - largest)), 0.0)
        count = ops.sum(ops.cast(seen, values.dtype), axis=1)
        mean = ops.sum(powers, axis=1) / count
        return ops.exp(largest[:, 0] + ops.log(mean) / power)


class _InBounds(keras.constraints.Constraint):
    def __call__(self, w):
        return ops.clip(w, _LEAST, _MOST)
