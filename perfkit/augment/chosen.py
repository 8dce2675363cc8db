"""Which samples of a batch an operation changes, and how many at most."""

import math
from typing import Any, NamedTuple

from perfkit._backend import engine, ops


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
