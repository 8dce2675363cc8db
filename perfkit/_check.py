"""Argument checks. The only place that words an argument error."""

from collections.abc import Collection, Sequence
from typing import Any, NoReturn


def fail(owner: str, name: str, expected: str, got: Any, kind=ValueError) -> NoReturn:
    """Raise the one error wording of the library."""
    raise kind(f"`{owner}({name}=...)` must be {expected}. Received: {name}={got!r}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_number, value))


def number(
    owner: str,
    name: str,
    value: Any,
    low: float = -float("inf"),
    high: float = float("inf"),
) -> float:
    """Check that `value` is a number within [low, high]."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if not _is_number(value) or not low <= value <= high:
        fail(owner, name, f"a number within [{low}, {high}]", value)
    return float(value)


def integer(
    owner: str, name: str, value: Any, low: int = 1, high: float = float("inf")
) -> int:
    """Check that `value` is a whole number within [low, high]."""
    if (
        isinstance(value, bool)
        or not hasattr(value, "__index__")
        or not low <= value <= high
    ):
        fail(owner, name, f"a whole number within [{low}, {high}]", value)
    return int(value)


def unit(owner: str, name: str, value: Any) -> float:
    """Check that `value` lies within [0, 1]."""
    return number(owner, name, value, 0.0, 1.0)


def span(
    owner: str,
    name: str,
    value: Any,
    low: float,
    high: float,
    neutral: float = 0.0,
) -> tuple[float, float]:
    """Turn `x` into `(neutral - x, neutral + x)`; check it is ordered and in bounds."""
    if _is_number(value):
        value_pair: Any = (neutral - value, neutral + value)
    else:
        value_pair = value
    if (
        not _numbers(value_pair)
        or len(value_pair) != 2
        or not low <= value_pair[0] <= value_pair[1] <= high
    ):
        expected = f"a number or an ordered pair within [{low}, {high}]"
        fail(owner, name, expected, value)
    return float(value_pair[0]), float(value_pair[1])


def value_range(owner: str, value: Any) -> tuple[float, float]:
    """Check that `value` is a pair `(low, high)` with `low < high`."""
    if not _numbers(value) or len(value) != 2 or not value[0] < value[1]:
        fail(owner, "value_range", "a pair (low, high) with low < high", value)
    return float(value[0]), float(value[1])


def one_of(owner: str, name: str, value: Any, choices: Collection[str]) -> str:
    """Check that `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        fail(owner, name, f"one of {sorted(choices)}", value)
    return value


def boolean(owner: str, name: str, value: Any) -> bool:
    """Check that `value` is a boolean."""
    if not isinstance(value, bool):
        fail(owner, name, "True or False", value, TypeError)
    return value


def instance(owner: str, name: str, value: Any, kind: type | Sequence[type]) -> Any:
    """Check that `value` is an instance of `kind`."""
    kinds = kind if isinstance(kind, Sequence) else (kind,)
    if not isinstance(value, tuple(kinds)):
        expected = " or ".join(k.__name__ for k in kinds)
        fail(owner, name, f"of type {expected}", value, TypeError)
    return value
