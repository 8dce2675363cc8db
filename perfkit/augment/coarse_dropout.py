"""Coarse dropout."""

import keras
import numpy as np

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.drop import DropAugment
from perfkit.ops import dropping


@keras.saving.register_keras_serializable(package="perfkit")
class CoarseDropout(DropAugment):
    """Replace several random rectangles of each image.

    Args:
        holes: Number of rectangles, or `(low, high)` to draw it from, both included,
            per sample. They may overlap. Whole numbers within [1, 1000].
        height_fraction: Height of each rectangle, or `(low, high)` to draw it from
            uniformly. Fraction of the image's, rounded to whole pixels, at least
            one. Within [0, 1].
        width_fraction: Width of each rectangle, likewise.
        fill_value, value_range: See `DropAugment`.
        seed: See `Augment`.
        **kwargs: See `DropAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `holes`, `height_fraction` or `width_fraction` is not an
            ordered pair within bounds, or `fill_value` none of what it may be.

    Example:
        >>> import numpy as np
        >>> layer = CoarseDropout(1, height_fraction=0.5, width_fraction=0.25, seed=1)
        >>> dropped = layer(np.ones((8, 8, 1)))
        >>> float(keras.ops.convert_to_numpy(dropped).sum())  # of 64
        56.0

    Reference: DeVries and Taylor, Improved Regularization of Convolutional Neural
        Networks with Cutout, 2017, 1708.04552, with more than one hole, all of which
        lie within the image.
    """

    def __init__(
        self,
        holes=(1, 8),
        height_fraction=(0.05, 0.2),
        width_fraction=(0.05, 0.2),
        fill_value=0.0,
        value_range=(0, 255),
        seed=None,
        **kwargs,
    ):
        super().__init__(
            fill_value=fill_value, value_range=value_range, seed=seed, **kwargs
        )
        self.holes = _check.whole_or_span("CoarseDropout", "holes", holes, 1, 1000)
        self.height_fraction = _check.fixed_or_span(
            "CoarseDropout", "height_fraction", height_fraction, 0.0, 1.0
        )
        self.width_fraction = _check.fixed_or_span(
            "CoarseDropout", "width_fraction", width_fraction, 0.0, 1.0
        )

    def parameters(self, rng):
        low, high = self.holes
        return {
            "number": ops.cast(rng.integers(low, high + 1), "float32"),
            "bits": rng.bits(),
        }

    def dropped(self, params, height, width):
        return dropping.holes(
            params["bits"],
            params["number"],
            self.holes[1],
            self.height_fraction,
            self.width_fraction,
            height,
            width,
        )

    def rectangles(self, params, height, width):
        spans = self.holes[1], self.height_fraction, self.width_fraction
        ends = dropping.hole_ends(params["bits"], *spans, height, width)
        ends = np.concatenate([*ends[0], *ends[1]], axis=-1).astype("int64")
        return ends, params["number"].astype("int64")
