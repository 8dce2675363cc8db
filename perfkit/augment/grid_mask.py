"""GridMask."""

import keras

from perfkit import _check
from perfkit.augment.drop import DropAugment
from perfkit.ops import dropping


@keras.saving.register_keras_serializable(package="perfkit")
class GridMask(DropAugment):
    """Replace evenly spaced squares of each image, on a randomly turned grid.

    Args:
        grid_fraction: Distance of the squares, or `(low, high)` to draw it from
            uniformly, per sample. Fraction of the image's shorter side. Within
            [0.01, 2].
        ratio: Gap between squares, or `(low, high)` to draw it from uniformly, per
            sample. Fraction of their distance: `(1 - ratio) ** 2` of the image is
            dropped. Within [0.01, 0.99].
        rotation_factor: Half-width, or `(low, high)`, of the uniform angle of the
            grid, drawn per sample. Fraction of a full turn, counter-clockwise.
            Within [-1, 1].
        fill_value, value_range: See `DropAugment`.
        seed: See `Augment`.
        **kwargs: See `DropAugment` (`rate`, `data_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `grid_fraction`, `ratio` or `rotation_factor` is not an ordered
            pair within bounds, or `fill_value` none of what it may be.

    Example:
        >>> import numpy as np
        >>> layer = GridMask(grid_fraction=0.5, ratio=0.5, rotation_factor=0.0, seed=1)
        >>> masked = layer(np.ones((8, 8, 1)))
        >>> float(keras.ops.convert_to_numpy(masked).sum())  # of 64
        48.0

    Reference: Chen et al., GridMask Data Augmentation, 2020, 2001.04086, whose grid
        has whole pixels before it is turned, and whose `rate` grows to 0.8 during
        training.
    """

    def __init__(
        self,
        grid_fraction=(0.4, 1.0),
        ratio=0.6,
        rotation_factor=0.5,
        fill_value=0.0,
        value_range=(0, 255),
        seed=None,
        **kwargs,
    ):
        super().__init__(
            fill_value=fill_value, value_range=value_range, seed=seed, **kwargs
        )
        self.grid_fraction = _check.fixed_or_span(
            "GridMask", "grid_fraction", grid_fraction, 0.01, 2.0
        )
        self.ratio = _check.fixed_or_span("GridMask", "ratio", ratio, 0.01, 0.99)
        self.rotation_factor = _check.span(
            "GridMask", "rotation_factor", rotation_factor, -1.0, 1.0
        )

    def parameters(self, rng):
        return {
            "unit": rng.uniform(*self.grid_fraction),
            "kept": rng.uniform(*self.ratio),
            "y": rng.uniform(),
            "x": rng.uniform(),
            "turns": rng.uniform(*self.rotation_factor),
        }

    def dropped(self, params, height, width):
        return dropping.grid(
            params["unit"],
            params["kept"],
            params["y"],
            params["x"],
            params["turns"],
            height,
            width,
        )
