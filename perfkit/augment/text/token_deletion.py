"""Token deletion."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.text.token import MoveAugment
from perfkit.ops import choice, noise


@keras.saving.register_keras_serializable(package="perfkit")
class TokenDeletion(MoveAugment):
    """Take random tokens out of each text, and close the gaps.

    What follows moves to the left, with its labels and types. The places that come
    free at the end have the `pad_id`, an attention mask and a type of 0, and the label
    -1. At least one token stays, besides special ones.

    Args:
        fraction: Share of the tokens that are taken out on average, each on its own;
            or `(low, high)` of it, uniform and drawn per sample. Within [0, 1].
        pad_id: Id of the padding.
        **kwargs: See `TokenAugment` (`special_ids`, `rate`, ...).

    Shape:
        Ids `(batch, length)` or `(length,)`; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> ids = np.array([1, 7, 7, 7, 2, 0])
        >>> shorter = TokenDeletion(1.0, special_ids=[0, 1, 2])(ids)
        >>> keras.ops.convert_to_numpy(shorter).tolist()
        [1, 7, 2, 0, 0, 0]

    Reference: Wei and Zou, EDA: Easy Data Augmentation Techniques for Boosting
        Performance on Text Classification Tasks, 2019, 1901.11196.
    """

    def __init__(self, fraction=0.1, pad_id=0, **kwargs):
        super().__init__(**kwargs)
        owner = "TokenDeletion"
        self.fraction = _check.fixed_or_span(owner, "fraction", fraction, 0.0, 1.0)
        self.pad_id = _check.integer(owner, "pad_id", pad_id, 0)
        self.padding = {
            "token_ids": self.pad_id,
            "attention_mask": 0,
            "token_type_ids": 0,
            "token_labels": -1,
        }

    def parameters(self, rng):
        return {"bits": rng.bits(), "fraction": rng.uniform(*self.fraction)}

    def places(self, free, params):
        draw = noise.uniform(params["bits"], ops.shape(free)[1])
        draw = ops.where(free, draw, -1.0)
        stays = (draw >= params["fraction"]) | ~free
        stays = stays | (draw == ops.max(draw, axis=1)[:, None])
        return choice.closed(stays)
