"""Span masking."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.text.token import ReplaceAugment
from perfkit.ops import choice, spans


@keras.saving.register_keras_serializable(package="perfkit")
class SpanMasking(ReplaceAugment):
    """Replace random spans of each text by the id of a mask, up to a budget.

    Spans begin anywhere and may overlap. Their length is geometric and cut at
    `max_length`. They are laid one after the other until the budget is spent, and the
    last one ends where it is. A span does not hide special tokens, and goes on behind.

    Args:
        mask_id: Id that stands for a token that is not known.
        fraction: Budget: the share of the tokens that are replaced, or `(low, high)` of
            it, uniform and drawn per sample. A number that is not whole is rounded up
            or down at random. Within [0, 1].
        mean_length: Mean length of a span in tokens. Greater than 1, and less than the
            middle of 1 and `max_length`.
        max_length: Longest span in tokens. At least 2.
        **kwargs: See `TokenAugment` (`special_ids`, `rate`, ...).

    Shape:
        Ids `(batch, length)` or `(length,)`; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> import numpy as np
        >>> hidden = SpanMasking(4, fraction=0.25)(np.arange(10, 30))
        >>> int((keras.ops.convert_to_numpy(hidden) == 4).sum())
        5

    Reference: Joshi et al., SpanBERT: Improving Pre-training by Representing and
        Predicting Spans, 2019, 1907.10529. Spans begin at any token, not at words; each
        token of a span is replaced by the mask, and none by random ones.
    """

    def __init__(
        self, mask_id, fraction=0.15, mean_length=3.8, max_length=10, **kwargs
    ):
        super().__init__(**kwargs)
        owner = "SpanMasking"
        self.mask_id = _check.integer(owner, "mask_id", mask_id, 0)
        self.fraction = _check.fixed_or_span(owner, "fraction", fraction, 0.0, 1.0)
        self.max_length = _check.integer(owner, "max_length", max_length, 2, 100)
        ends = (1.01, (1 + self.max_length) / 2 - 0.01)
        self.mean_length = _check.number(owner, "mean_length", mean_length, *ends)

    def parameters(self, rng):
        return {
            "starts": rng.bits(),
            "lengths": rng.bits(),
            "fraction": rng.uniform(*self.fraction),
            "rounding": rng.uniform(),
        }

    def tokens(self, ids, free, params):
        number = ops.sum(ops.cast(free, "float32"), axis=1)[:, None]
        number = choice.rounded(number * params["fraction"], params["rounding"])
        turn = spans.turns(
            params["starts"], params["lengths"], free, self.mean_length, self.max_length
        )
        hidden = choice.lowest(turn, number)
        return ops.where(hidden, ops.zeros_like(ids) + self.mask_id, ids)
