"""Token dropout."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.text.token import ReplaceAugment
from perfkit.ops import noise


@keras.saving.register_keras_serializable(package="perfkit")
class TokenDropout(ReplaceAugment):
    """Replace random tokens of each text by the id of a mask.

    `TokenDeletion` takes them out. `SpanMasking` hides tokens that follow each other.

    Args:
        mask_id: Id that stands for a token that is not known.
        fraction: Share of the tokens that are replaced on average, each on its own; or
            `(low, high)` of it, uniform and drawn per sample. Within [0, 1].
        **kwargs: See `TokenAugment` (`special_ids`, `rate`, ...).

    Shape:
        Ids `(batch, length)` or `(length,)`; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> ids = np.array([1, 7, 8, 9, 2])
        >>> hidden = TokenDropout(4, fraction=1.0, special_ids=[1, 2])(ids)
        >>> keras.ops.convert_to_numpy(hidden).tolist()
        [1, 4, 4, 4, 2]

    Reference: Iyyer et al., Deep Unordered Composition Rivals Syntactic Methods for
        Text Classification, 2015, who leave words out of a mean.
    """

    def __init__(self, mask_id, fraction=0.1, **kwargs):
        super().__init__(**kwargs)
        owner = "TokenDropout"
        self.mask_id = _check.integer(owner, "mask_id", mask_id, 0)
        self.fraction = _check.fixed_or_span(owner, "fraction", fraction, 0.0, 1.0)

    def parameters(self, rng):
        return {"bits": rng.bits(), "fraction": rng.uniform(*self.fraction)}

    def tokens(self, ids, free, params):
        draw = noise.uniform(params["bits"], ops.shape(ids)[1])
        mask = ops.zeros_like(ids) + self.mask_id
        return ops.where(draw < params["fraction"], mask, ids)
