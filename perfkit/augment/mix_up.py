"""MixUp."""

import keras

from perfkit import _check
from perfkit.augment.mix import MixAugment


@keras.saving.register_keras_serializable(package="perfkit")
class MixUp(MixAugment):
    """Blend each image with another of the batch, and their labels alike.

    Args:
        alpha: Both parameters of the beta distribution of the share that a sample
            keeps, drawn per sample. Greater than 0; small values mix little.
        classes: Number of classes. Needed for integer labels or masks, which come
            out one-hot.
        seed, data_format: See `Augment`.
        **kwargs: See `MixAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        Images `(batch, height, width, channels)`; same shape out. Labels
        `(batch,)`, `(batch, 1)` or `(batch, classes)`. Boxes `(batch, n, 4)`;
        `(batch, 2 n, 4)` out.

    Raises:
        ValueError: If `alpha` is out of bounds; at the call, if labels are missing,
            if they are integers and `classes` is not given, or if the images are
            not a batch.

    Example:
        >>> import numpy as np
        >>> data = {"images": np.zeros((2, 4, 4, 1)), "labels": np.array([0, 2])}
        >>> mixed = MixUp(0.4, classes=3)(data)
        >>> np.array(mixed["labels"]).sum(axis=1).tolist()
        [1.0, 1.0]

    Reference: Zhang et al., mixup: Beyond Empirical Risk Minimization, 2017,
        1710.09412; for boxes Zhang et al., Bag of Freebies for Training Object
        Detection Neural Networks, 2019, 1902.04103. The share is drawn per sample;
        the first paper's code draws it per batch.
    """

    def __init__(
        self, alpha=0.2, data_format=None, seed=None, *, classes=None, **kwargs
    ):
        super().__init__(data_format=data_format, seed=seed, classes=classes, **kwargs)
        self.alpha = _check.number("MixUp", "alpha", alpha, 1e-3, 1e3)

    def parameters(self, rng):
        return {"partner": rng.permutation(), "share": rng.beta(self.alpha)}

    def share(self, params, height, width):
        return params["share"][:, None, None, None]

    def window(self, params, height, width):
        return None
