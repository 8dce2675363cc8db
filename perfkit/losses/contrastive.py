"""The family of losses that set the samples of a batch against each other."""

from typing import Any

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit._config import Configured
from perfkit.ops import contrastive


class ContrastiveLoss(Configured, keras.losses.Loss):
    """Abstract: compare embeddings of a batch with each other, in float32.

    The cost of a sample depends on the batch that it is in, of which all others are
    there to be told apart from. With `tf.distribute` these are those of the replica. A
    sample weight is a factor of a sample's own cost, and leaves what it is to others.

    Args:
        temperature: What cosines are divided by. Above 0.
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the embeddings come in.
    """

    lonely: float = 0.0  # cost of a sample that none of the batch belongs to

    def __init__(self, temperature, *, reduction, name, dtype):
        owner = type(self).__name__
        _check.one_of(owner, "dtype", dtype, ("float32", "float64"))
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.temperature = _check.positive(owner, "temperature", temperature)

    def by_view(self, y_true, y_pred) -> Any:
        """Operation: embeddings as `(batch, views, channels)`."""
        raise NotImplementedError

    def labels(self, y_true, y_pred) -> Any:
        """Operation: one number for each sample, equal where samples belong together.

        Args:
            y_true: What the loss gets as labels.
            y_pred: Embeddings `(batch, views, channels)`.
        """
        raise NotImplementedError

    def call(self, y_true, y_pred):
        vectors = self.by_view(y_true, y_pred)
        labels = self.labels(y_true, vectors)
        batch, views, channels = ops.shape(vectors)
        labels = ops.broadcast_to(labels[:, None], (batch, views))
        each = contrastive.same_label(
            ops.reshape(vectors, (batch * views, channels)),
            ops.reshape(labels, (batch * views,)),
            self.temperature,
            self.lonely,
        )
        return ops.mean(ops.reshape(each, (batch, views)), axis=1)
