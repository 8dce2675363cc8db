"""CutMix."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.mix import MixAugment
from perfkit.ops import dropping


@keras.saving.register_keras_serializable(package="perfkit")
class CutMix(MixAugment):
    """Paste a window of another image of the batch, and mix labels by its area.

    Args:
        factor: Both parameters of the beta distribution of the share that a sample
            keeps, drawn per sample; or `(low, high)` to draw that parameter from,
            per sample. Within [0.001, 1000].
        classes: Number of classes. Needed for integer labels, which come out
            one-hot.
        seed, data_format: See `Augment`.
        **kwargs: See `MixAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        Images `(batch, height, width, channels)`; same shape out. Labels
        `(batch,)`, `(batch, 1)` or `(batch, classes)`. Boxes `(batch, n, 4)`;
        `(batch, 2 n, 4)` out.

    Raises:
        ValueError: If `factor` is out of bounds; at the call, if labels are
            missing, if they are integers and `classes` is not given, or if the
            images are not a batch.

    Example:
        >>> import numpy as np
        >>> data = {"images": np.zeros((2, 4, 4, 1)), "labels": np.array([0, 2])}
        >>> mixed = CutMix(classes=3)(data)
        >>> np.array(mixed["labels"]).sum(axis=1).tolist()
        [1.0, 1.0]

    Reference: Yun et al., CutMix: Regularization Strategy to Train Strong
        Classifiers with Localizable Features, 2019, 1905.04899. The window has whole
        pixels and lies within the image; the paper cuts off what sticks out.
    """

    cuts = True

    def __init__(
        self, factor=1.0, seed=None, data_format=None, *, classes=None, **kwargs
    ):
        super().__init__(data_format=data_format, seed=seed, classes=classes, **kwargs)
        self.factor = _check.fixed_or_span("CutMix", "factor", factor, 1e-3, 1e3)

    def parameters(self, rng):
        low, high = self.factor
        alpha = low if low == high else rng.uniform(low, high)
        return {
            "partner": rng.permutation(),
            "side": ops.sqrt(1.0 - rng.beta(alpha)),
            "x": rng.uniform(),
            "y": rng.uniform(),
        }

    def window(self, params, height, width):
        side = params["side"]
        left, right = dropping.ends(params["x"], side, width, least=0.0)
        top, bottom = dropping.ends(params["y"], side, height, least=0.0)
        return left, top, right, bottom

    def share(self, params, height, width):
        extent = [ops.cast(size, "float32") for size in (height, width)]
        left, top, right, bottom = [
            edge[:, None, None, None] for edge in self.window(params, *extent)
        ]
        y = ops.arange(height, dtype="float32")[None, :, None, None]
        x = ops.arange(width, dtype="float32")[None, None, :, None]
        inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        return ops.where(inside, 0.0, 1.0)
