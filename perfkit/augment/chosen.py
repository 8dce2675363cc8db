"""Which samples of a batch an operation changes, and how many at most."""

import math
from typing import Any, NamedTuple

from perfkit._backend import engine, ops, put_rows


class Chosen(NamedTuple):
    """A choice of samples.

    Attributes:
        mask: Booleans `(batch,)`.
        limits: What is known of their number without looking: one tuple for each
            choice that all had to pass, of the shares of the batch that were dealt
            to it, each rounded up. None where samples were chosen one by one.
    """

    mask: Any
    limits: tuple[tuple[float, ...], ...] = ()

    def limit(self, batch):
        """Most samples that can be chosen of a batch, a whole number or a tensor."""
        if not isinstance(batch, int) and engine() != "tensorflow":
            return batch  # shapes cannot depend on it
        return _smallest([batch, *[_dealt(shares, batch) for shares in self.limits]])

    def rows(self, limit):
        """Numbers of `limit` samples, the chosen ones among them, int32."""
        batch = ops.shape(self.mask)[0]
        place = ops.arange(batch, dtype="int32")
        order = ops.where(self.mask, place, place + batch)
        return ops.cast(ops.argsort(order, axis=0), "int32")[:limit]


def both(first, second):
    """What two choices have in common; `None` chooses every sample."""
    if first is None or second is None:
        return second if first is None else first
    return Chosen(first.mask & second.mask, (*first.limits, *second.limits))


def change(function, parts, params, chosen, dealt) -> dict[str, Any]:
    """Parts of a batch, once the samples that are chosen went through a function.

    Where samples were dealt out, only those that may be chosen go through it.

    Args:
        function: From dicts of parts and of parameters, of as many samples, to a dict
            of those parts that it changes, in their dtypes.
        parts: Dict of tensors of one row for each sample.
        params: Dict of `(batch,)` arrays.
        chosen: The samples to be changed; `None` stands for all.
        dealt: Whether choices of samples keep to their limits.
    """
    if chosen is None:
        return {**parts, **function(parts, params)}
    batch = ops.shape(chosen.mask)[0]
    limit = chosen.limit(batch) if dealt else batch
    if isinstance(limit, int) and limit == 0:  # of nothing there is no maximum
        return parts
    few = limit < 0.75 * batch if isinstance(batch, int) else limit is not batch
    if not few:
        changed = function(parts, params)
        return {**parts, **_where(chosen.mask, changed, parts)}
    rows = chosen.rows(limit)
    some, picked, mask = [
        {name: ops.take(x, rows, axis=0) for name, x in tensors.items()}
        for tensors in (parts, params, {"mask": chosen.mask})
    ]
    changed = _where(mask["mask"], function(some, picked), some)
    return {
        **parts,
        **{name: put_rows(parts[name], rows, x) for name, x in changed.items()},
    }


def _where(mask, changed, parts):
    def one(new, old):
        return ops.where(
            ops.reshape(mask, (-1,) + (1,) * (len(new.shape) - 1)), new, old
        )

    return {name: one(x, parts[name]) for name, x in changed.items()}


def _dealt(shares, batch):
    # A share of a known batch may be a whole number but for rounding.
    if isinstance(batch, int):
        return sum(math.ceil(share * batch - 1e-6) for share in shares)
    many = ops.cast(batch, "float32")
    return sum(ops.cast(ops.floor(share * many), "int32") + 1 for share in shares)


def _smallest(numbers):
    if all(isinstance(number, int) for number in numbers):
        return min(numbers)
    smallest = numbers[0]
    for number in numbers[1:]:
        smallest = ops.minimum(smallest, number)
    return smallest
