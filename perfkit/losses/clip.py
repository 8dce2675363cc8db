"""The partner of each sample, among all those of the batch."""

import keras

from perfkit.losses.pairs import PairsLoss
from perfkit.ops import contrastive


@keras.saving.register_keras_serializable(package="perfkit")
class CLIP(PairsLoss):
    """Cross-entropy of the right partner in a batch of pairs, in both directions.

    Of images and texts, a text is chosen for each image and an image for each text. The
    model ends in `layers.SimilarityHead()`; see `PairsLoss` for labels and weights.

    Args:
        reduction: See `keras.losses.Loss`.
        name: See `keras.losses.Loss`.
        dtype: `"float32"` or `"float64"`, whatever the similarities come in.

    Shape:
        Labels `(batch, ...)` of anything; predictions `(batch, batch)`, whose diagonal
        are the pairs that belong together; weights `(batch,)`.

    Raises:
        ValueError: If an argument is out of bounds; at the call, if predictions are not
            square or labels do not fit.

    Example:
        >>> import numpy as np
        >>> loss = CLIP()
        >>> logits = np.array([[5.0, 0.0], [0.0, 5.0]])
        >>> round(float(loss(np.zeros(2), logits)), 4)
        0.0067
        >>> round(float(loss(np.zeros(2), -logits)), 4)
        5.0067

    Reference: Radford et al., Learning Transferable Visual Models From Natural Language
        Supervision, 2021, arXiv 2103.00020.
    """

    def __init__(
        self, *, reduction="sum_over_batch_size", name="clip", dtype="float32"
    ):
        super().__init__(reduction=reduction, name=name, dtype=dtype)

    def costs(self, logits):
        return contrastive.softmax_pairs(logits)
