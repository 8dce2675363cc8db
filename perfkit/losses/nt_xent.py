"""Two views of a sample close together, and far from all other samples."""

import keras

from perfkit._backend import ops
from perfkit.losses.contrastive import ContrastiveLoss
from perfkit.ops import passes


@keras.saving.register_keras_serializable(package="perfkit")
class NTXent(ContrastiveLoss):
    """Pull views of one sample together and push all others away (SimCLR).

    To train an encoder without labels: those are not looked at, but Keras needs an
    array with an entry for each sample. Views come along an axis, or next to each other
    in the batch, as `TwoPasses` puts them: around a network with augmentations it is
    SimCLR, with dropout alone SimCSE. Lengths of embeddings do not count.

    With one view there is nothing to compare, and the loss is NaN; so it is in
    evaluation with `TwoPasses`, which gives two views in training alone.

    Args:
        temperature: What cosines are divided by. Above 0; the paper has 0.1 to 0.5 for
            large batches, best 0.5 on CIFAR-10.
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the embeddings come in.

    Shape:
        Labels `(batch, ...)` of anything; predictions `(batch, views, channels)`, or
        `(views * batch, channels)` with those of a sample next to each other; weights
        `(batch,)`.

    Raises:
        ValueError: If an argument is out of bounds; at the call, if there is no whole
            number of views for each label.

    Example:
        >>> import numpy as np
        >>> loss = NTXent(1.0)
        >>> ends = np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 2.0]])
        >>> round(float(loss(np.array([0, 0]), ends)), 4)
        0.5514
        >>> round(float(loss(np.array([0, 0]), np.stack([ends[::2], ends[1::2]]))), 4)
        1.5514

    Reference: Chen et al., A Simple Framework for Contrastive Learning of Visual
        Representations, 2020, arXiv 2002.05709. Of more than two views, each is
        compared with the mean of the others (arXiv 2004.11362).
    """

    lonely = float("nan")

    def __init__(
        self,
        temperature=0.1,
        *,
        reduction="sum_over_batch_size",
        name="nt_xent",
        dtype="float32",
    ):
        super().__init__(temperature, reduction=reduction, name=name, dtype=dtype)

    def by_view(self, y_true, y_pred):
        if len(y_pred.shape) == 3:
            return y_pred
        samples, views = y_true.shape[0], y_pred.shape[0]
        if len(y_pred.shape) != 2 or (samples and views and views % samples):
            raise ValueError(
                f"{self.name}: predictions must be embeddings `(batch, views, "
                "channels)` or `(views * batch, channels)`. Received: shape "
                f"{tuple(y_pred.shape)}, and labels of {tuple(y_true.shape)}"
            )
        return passes.of_samples(y_pred, y_true)

    def labels(self, y_true, y_pred):  # noqa: ARG002
        return ops.arange(ops.shape(y_pred)[0])
