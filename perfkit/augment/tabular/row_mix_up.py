"""Row mixup."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.blend import BlendAugment
from perfkit.augment.tabular.feature import Rows


@keras.saving.register_keras_serializable(package="perfkit")
class RowMixUp(BlendAugment):
    """Blend each row with another of the batch, and their labels alike.

    Args:
        alpha: Both parameters of the beta distribution of the share that a sample
            keeps, drawn per sample. Within [0.001, 1000]; small values mix little.
        classes: Number of classes. Needed for integer labels, which come out
            one-hot.
        **kwargs: See `BlendAugment` (`rate`, `seed`, ...).

    Shape:
        Features `(batch, features)`; same shape out. Labels
        `(batch,)`, `(batch, 1)` or `(batch, classes)`.

    Raises:
        ValueError: If `alpha` is out of bounds; at the call, if labels are missing,
            if they are integers and `classes` is not given, or if the features are
            not a batch.

    Example:
        >>> import numpy as np
        >>> data = {"features": np.zeros((2, 8)), "labels": np.array([0, 2])}
        >>> mixed = RowMixUp(classes=3)(data)
        >>> np.array(mixed["labels"]).sum(axis=1).tolist()
        [1.0, 1.0]

    Reference: Zhang et al., mixup: Beyond Empirical Risk Minimization, 2017,
        1710.09412. The share is drawn per sample; the paper's code draws it per
        batch.
    """

    modality = Rows()

    def __init__(self, alpha=0.2, *, classes=None, **kwargs):
        super().__init__(classes=classes, **kwargs)
        self.alpha = _check.number("RowMixUp", "alpha", alpha, 1e-3, 1e3)

    def parameters(self, rng):
        return {"partner": rng.permutation(), "share": rng.beta(self.alpha)}

    def share(self, params, size):
        return ops.reshape(params["share"], (-1,) + (1,) * len(size))
