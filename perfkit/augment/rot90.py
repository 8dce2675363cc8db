"""Random quarter turns."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.geometric import GeometricAugment, center, want_squares
from perfkit.ops import affine


@keras.saving.register_keras_serializable(package="perfkit")
class RandomRot90(GeometricAugment):
    """Rotate each image about its centre by a random number of quarter turns.

    Pixels go to whole pixels, so nothing is blurred and nothing lies outside.

    Args:
        turns: Quarter turns to draw from, counter-clockwise, all as likely: different
            whole numbers within [0, 3]. With an odd one images have to be square;
            `(0, 2)` serves oblong ones.
        seed, data_format: See `Augment`.
        **kwargs: See `GeometricAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, height, width, channels)` or one image; same shape out.

    Raises:
        ValueError: If `turns` are not different whole numbers within bounds; at the
            call, if one is odd and images are not square.

    Example:
        >>> import numpy as np
        >>> image = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
        >>> turned = RandomRot90(turns=(1,))(image)
        >>> keras.ops.convert_to_numpy(turned)[:, :, 0].tolist()
        [[2.0, 4.0], [1.0, 3.0]]

    Reference: none (standard).
    """

    def __init__(self, turns=(0, 1, 2, 3), seed=None, data_format=None, **kwargs):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.turns = _check.choices("RandomRot90", "turns", turns, 0, 3)

    def parameters(self, rng):
        place = rng.integers(0, len(self.turns))
        turns = ops.convert_to_tensor(self.turns, dtype="float32")
        return {"turns": ops.take(turns, place, axis=0)}

    def observe(self, canvas):
        if any(turn % 2 for turn in self.turns):
            want_squares(canvas, self.name, "pass `RandomRot90(turns=(0, 2))`")
        return {}

    def matrix(self, params, height, width):
        return affine.quarter_turns(params["turns"], center(height, width))
