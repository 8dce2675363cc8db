"""Token swap."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.text.token import MoveAugment
from perfkit.ops import choice, noise


@keras.saving.register_keras_serializable(package="perfkit")
class TokenSwap(MoveAugment):
    """Swap random pairs of tokens of each text, with their labels.

    No token is in two pairs. `"token_type_ids"` stay in their places.

    Args:
        fraction: Share of the tokens that are in pairs, or `(low, high)` of it, uniform
            and drawn per sample. A number of pairs that is not whole is rounded up or
            down at random. Within [0, 1].
        **kwargs: See `TokenAugment` (`special_ids`, `rate`, ...).

    Shape:
        Ids `(batch, length)` or `(length,)`; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> swapped = TokenSwap(1.0, special_ids=[1, 2])(np.array([1, 7, 8, 2]))
        >>> keras.ops.convert_to_numpy(swapped).tolist()
        [1, 8, 7, 2]

    Reference: Wei and Zou, EDA: Easy Data Augmentation Techniques for Boosting
        Performance on Text Classification Tasks, 2019, 1901.11196, who swap words one
        pair after the other.
    """

    def __init__(self, fraction=0.1, **kwargs):
        super().__init__(**kwargs)
        owner = "TokenSwap"
        self.fraction = _check.fixed_or_span(owner, "fraction", fraction, 0.0, 1.0)

    def parameters(self, rng):
        return {
            "bits": rng.bits(),
            "fraction": rng.uniform(*self.fraction),
            "rounding": rng.uniform(),
        }

    def places(self, free, params):
        length = ops.shape(free)[1]
        number = ops.sum(ops.cast(free, "int32"), axis=1)[:, None]
        pairs = ops.cast(number, "float32") * params["fraction"] * 0.5
        pairs = choice.rounded(pairs, params["rounding"])
        pairs = ops.minimum(pairs, number // 2)
        keys = ops.where(free, noise.uniform(params["bits"], length), 2.0)
        order = ops.cast(ops.argsort(keys, axis=-1), "int32")
        rank = ops.cast(ops.argsort(order, axis=-1), "int32")
        return choice.swapped(order, rank, 2 * pairs)
