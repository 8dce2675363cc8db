"""The families of operations on tokens."""

import types
from typing import Any

from perfkit import _check
from perfkit._backend import dtype_of, gather_pixels, ops
from perfkit.augment._arrays import Arrays
from perfkit.augment.operation import Operation


class Tokens(Arrays):
    """Ids of tokens, and what is known of each."""

    main = "token_ids"
    one = "one text"
    axes = ("length",)
    whole = True
    beside = types.MappingProxyType(
        {"attention_mask": 1, "token_type_ids": 1, "token_labels": 1}
    )
    mistaken = types.MappingProxyType(
        {
            "label": "labels",
            "input_ids": "token_ids",
            "tokens": "token_ids",
            "padding_mask": "attention_mask",
            "mask": "attention_mask",
            "segment_ids": "token_type_ids",
        }
    )
    one_shape = "Pad or bucket the texts, with their `attention_mask` beside them"


class TokenAugment(Operation):
    """Base of the families that change tokens; padding and special tokens stay.

    Inputs are ids `(batch, length)`, or `(length,)` of one text, or a dict with
    `"token_ids"` and any of `"attention_mask"` (0 or false where there is padding;
    without it nothing is), `"token_type_ids"`, `"token_labels"`, all of the same shape
    and integers, `"labels"` and keys that pass by untouched. Ids keep their dtype,
    whatever the layer's. Labels stay; for the ids as they were, pass them as labels.

    Args:
        special_ids: Ids of tokens that stay, such as those that begin and end a text;
            and the one of the padding, where there is no mask.
        **kwargs: See `Operation` (`rate`, `seed`, ...).
    """

    modality = Tokens()

    def __init__(self, *, special_ids=(), **kwargs):
        super().__init__(**kwargs)
        owner = type(self).__name__
        self.special_ids = _check.ids(owner, "special_ids", special_ids)

    def free(self, parts) -> Any:
        """Booleans `(batch, length)`: the tokens that may be changed."""
        ids = parts["token_ids"]
        free = ops.ones_like(ids) == 1
        if "attention_mask" in parts:
            free = parts["attention_mask"] != 0
        if self.special_ids:
            special = ops.convert_to_tensor(self.special_ids, "int32")
            same = ops.cast(ids, "int32")[..., None] == special[None, None, :]
            free = free & ~ops.any(same, axis=-1)
        return free


class ReplaceAugment(TokenAugment):
    """Replace tokens by others in their places.

    Args:
        **kwargs: See `TokenAugment` (`special_ids`, `rate`, `seed`, ...).
    """

    def tokens(self, ids, free, params) -> Any:
        """Operation: return new ids, from int32 ones of shape `(batch, length)`.

        `free` says which may change; the others stay whatever is returned. `params`
        come in shape `(batch, 1)`, one for each text.
        """
        raise NotImplementedError

    def transform(self, canvas, params, chosen):
        def change(parts, params):
            ids, free = parts["token_ids"], self.free(parts)
            params = {name: x[:, None] for name, x in params.items()}
            new = self.tokens(ops.cast(ids, "int32"), free, params)
            return {"token_ids": ops.where(free, ops.cast(new, dtype_of(ids)), ids)}

        canvas.change(change, params, chosen)


# What a token takes along wherever it goes.
_OWN = ("token_ids", "token_labels")


class MoveAugment(TokenAugment):
    """Move tokens to other places, with their labels.

    Args:
        **kwargs: See `TokenAugment` (`special_ids`, `rate`, `seed`, ...).
    """

    # What is put where no token is moved to, if there are such places.
    padding: dict[str, int] | None = None

    def places(self, free, params) -> Any:
        """Operation: for each place the place of the token that moves there, int32.

        `free`, `(batch, length)`, says which may be moved. `params` come in shape
        `(batch, 1)`, one for each text. A place beyond the last is of no token.
        """
        raise NotImplementedError

    def transform(self, canvas, params, chosen):
        (length,) = canvas.size

        def change(parts, params):
            params = {name: x[:, None] for name, x in params.items()}
            places = self.places(self.free(parts), params)
            index = ops.minimum(places, length - 1)[:, None, :]
            everything = self.padding is not None
            keys = [key for key in parts if everything or key in _OWN]
            changed = {}
            for key in keys:
                taken = gather_pixels(parts[key][:, None, :, None], index)[:, 0, :, 0]
                if self.padding is not None:
                    empty = ops.zeros_like(taken) + self.padding[key]
                    taken = ops.where(places < length, taken, empty)
                changed[key] = taken
            return changed

        canvas.change(change, params, chosen)
