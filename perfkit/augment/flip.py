"""Random flip."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.geometric import GeometricAugment, center
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomFlip(GeometricAugment):
    """Mirror each image left to right, upside down, or both.

    With both, each axis has its own coin; Keras throws one for the two.

    Args:
        mode: `"horizontal"`, `"vertical"` or `"horizontal_and_vertical"`. Each
            axis is mirrored with probability 1/2, drawn per sample.
        seed, data_format: See `Augment`.
        **kwargs: See `GeometricAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `mode` is none of the three.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [2.0], [3.0]]])
        >>> flip = RandomFlip("horizontal", seed=3)
        >>> sorted({tuple(np.array(flip(image)).ravel().tolist()) for _ in range(20)})
        [(1.0, 2.0, 3.0), (3.0, 2.0, 1.0)]

    Reference: none (standard).
    """

    def __init__(
        self, mode="horizontal_and_vertical", seed=None, data_format=None, **kwargs
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.mode = _check.one_of(
            "RandomFlip",
            "mode",
            mode,
            ("horizontal", "vertical", "horizontal_and_vertical"),
        )

    def parameters(self, rng):
        straight = ops.zeros((rng.batch,), "float32") + 1.0
        return {
            "x": rng.sign() if "horizontal" in self.mode else straight,
            "y": rng.sign() if "vertical" in self.mode else straight,
        }

    def matrix(self, params, height, width):
        return affine.scaling(params["x"], params["y"], center=center(height, width))
