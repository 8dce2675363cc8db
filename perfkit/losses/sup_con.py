"""Samples of one class close together, and far from all others."""

import keras

from perfkit._backend import ops
from perfkit.losses.contrastive import ContrastiveLoss


@keras.saving.register_keras_serializable(package="perfkit")
class SupCon(ContrastiveLoss):
    """Pull embeddings of one class together and push all others away.

    To train an encoder, behind which a linear classifier is trained afterwards. Lengths
    of embeddings do not count. A sample that is alone with its class, in one view,
    costs nothing, and counts as a sample in the average.

    Args:
        temperature: What cosines are divided by. Above 0.
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the embeddings come in.

    Shape:
        Labels `(batch,)` or `(batch, 1)` of class numbers up to 2**24; predictions
        `(batch, channels)`, or `(batch, views, channels)` where several augmented
        views of a sample belong together too; weights `(batch,)`.

    Raises:
        ValueError: If an argument is out of bounds; at the call, if labels or
            predictions have other shapes.

    Example:
        >>> import numpy as np
        >>> loss = SupCon(1.0)
        >>> ends = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
        >>> round(float(loss(np.array([0, 0, 1, 1]), ends)), 4)
        0.5514
        >>> round(float(loss(np.array([0, 1, 0, 1]), ends)), 4)
        1.5514

    Reference: Khosla et al., Supervised Contrastive Learning, 2020, arXiv 2004.11362,
        the loss with the sum outside of the logarithm. Their code divides by a second
        temperature, which is left out, as in the paper.
    """

    def __init__(
        self,
        temperature=0.1,
        *,
        reduction="sum_over_batch_size",
        name="sup_con",
        dtype="float32",
    ):
        super().__init__(temperature, reduction=reduction, name=name, dtype=dtype)

    def by_view(self, y_true, y_pred):  # noqa: ARG002
        if len(y_pred.shape) not in (2, 3):
            raise ValueError(
                f"{self.name}: predictions must be embeddings `(batch, channels)` or "
                f"`(batch, views, channels)`. Received: shape {tuple(y_pred.shape)}"
            )
        return y_pred[:, None] if len(y_pred.shape) == 2 else y_pred

    def labels(self, y_true, y_pred):
        if len(y_true.shape) == 2 and y_true.shape[1] == 1:
            return y_true[:, 0]
        if len(y_true.shape) != 1:
            raise ValueError(
                f"{self.name}: labels must be numbers of classes, `(batch,)`. "
                f"Received: shape {tuple(y_true.shape)}"
            )
        return ops.reshape(y_true, (ops.shape(y_pred)[0],))
