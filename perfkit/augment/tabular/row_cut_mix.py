"""Row cutmix."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.blend import BlendAugment
from perfkit.augment.tabular.feature import Rows
from perfkit.ops import choice


@keras.saving.register_keras_serializable(package="perfkit")
class RowCutMix(BlendAugment):
    """Replace random features of each row by another row's, and mix labels in share.

    Args:
        alpha: Both parameters of the beta distribution of the share of features that a
            sample keeps, drawn per sample. Within [0.001, 1000].
        classes: Number of classes. Needed for integer labels, which come out
            one-hot.
        **kwargs: See `BlendAugment` (`rate`, `seed`, ...).

    Shape:
        Features `(batch, features)`; same shape out. Labels `(batch,)`, `(batch, 1)`
        or `(batch, classes)`.

    Raises:
        ValueError: If `alpha` is out of bounds; at the call, if labels are missing, if
            they are integers and `classes` is not given, or if the features are not
            a batch.

    Example:
        >>> import numpy as np
        >>> data = {"features": np.eye(4), "labels": np.eye(4)}
        >>> mixed = RowCutMix(seed=3)(data)
        >>> np.array(mixed["labels"]).sum(axis=1).tolist()
        [1.0, 1.0, 1.0, 1.0]

    Reference: Yun et al., CutMix: Regularization Strategy to Train Strong
        Classifiers with Localizable Features, 2019, 1905.04899; for rows Somepalli et
        al., SAINT: Improved Neural Networks for Tabular Data, 2021, 2106.01342. Here
        the number of features is rounded up or down at random, and labels are mixed by
        what is replaced.
    """

    modality = Rows()

    def __init__(self, alpha=1.0, *, classes=None, **kwargs):
        super().__init__(classes=classes, **kwargs)
        self.alpha = _check.number("RowCutMix", "alpha", alpha, 1e-3, 1e3)

    def parameters(self, rng):
        return {
            "partner": rng.permutation(),
            "features": rng.bits(),
            "share": rng.beta(self.alpha),
            "rounding": rng.uniform(),
        }

    def share(self, params, size):
        (columns,) = size
        kept = ops.cast(columns, "float32") * params["share"]
        kept = choice.rounded(kept, params["rounding"])[:, None]
        kept = choice.pick(params["features"], columns, kept)
        return ops.cast(kept, "float32")
