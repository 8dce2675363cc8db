"""Each pair of a batch by itself: right or wrong."""

import keras

from perfkit.losses.pairs import PairsLoss
from perfkit.ops import contrastive


@keras.saving.register_keras_serializable(package="perfkit")
class SigLIP(PairsLoss):
    """Binary cross-entropy of each of the pairs of a batch, right or wrong.

    Better than `CLIP` where batches are small. As nearly all pairs are wrong, logits
    have to begin low: the model ends in `layers.SimilarityHead(10.0, bias=-10.0,
    max_scale=None)`. See `PairsLoss` for labels and weights.

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
        >>> loss = SigLIP()
        >>> logits = np.array([[5.0, -5.0], [-5.0, 5.0]])
        >>> round(float(loss(np.zeros(2), logits)), 4)
        0.0134
        >>> round(float(loss(np.zeros(2), -logits)), 4)
        10.0134

    Reference: Zhai et al., Sigmoid Loss for Language Image Pre-Training, 2023, arXiv
        2303.15343. The cost of a pair is half of its row and column, which sample
        weights count by; without any it is theirs.
    """

    def __init__(
        self, *, reduction="sum_over_batch_size", name="siglip", dtype="float32"
    ):
        super().__init__(reduction=reduction, name=name, dtype=dtype)

    def costs(self, logits):
        return contrastive.sigmoid_pairs(logits)
