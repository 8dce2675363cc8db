"""Random symmetries of the square."""

import keras

from perfkit._backend import ops
from perfkit.augment.geometric import GeometricAugment, center, want_squares
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomD4(GeometricAugment):
    """Turn and mirror each image into one of the eight symmetries of a square.

    They are the four quarter turns, each as it is and mirrored left to right, all
    as likely. Pixels go to whole pixels. For images that have no upright position,
    such as aerial or microscopic ones.

    Args:
        seed, data_format: See `Augment`.
        **kwargs: See `GeometricAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, size, size, channels)` or one image; same shape out.

    Raises:
        ValueError: At the call, if images are not square.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
        >>> layer = RandomD4(seed=1)
        >>> len({tuple(np.array(layer(image)).ravel().tolist()) for _ in range(60)})
        8

    Reference: the dihedral group of order 8, as in Cohen and Welling, Group
        Equivariant Convolutional Networks, 2016, 1602.07576.
    """

    def __init__(self, seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)

    def parameters(self, rng):
        return {
            "turns": ops.cast(rng.integers(0, 4), "float32"),
            "mirror": rng.sign(),
        }

    def observe(self, canvas):
        remedy = "use `RandomFlip`, which has the four symmetries of an oblong image"
        want_squares(canvas, self.name, remedy)
        return {}

    def matrix(self, params, height, width):
        middle = center(height, width)
        mirror = affine.scaling(params["mirror"], 1.0, middle)
        turn = affine.quarter_turns(params["turns"], middle)
        return affine.compose(mirror, turn)
