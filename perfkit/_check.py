"""Argument checks. The only place that words an argument error."""

import importlib
import math
import sys
from collections.abc import Collection, Sequence
from numbers import Real
from typing import Any, NoReturn

import keras


def fail(
    owner: str,
    name: str,
    expected: str,
    got: Any,
    kind: type[Exception] = ValueError,
) -> NoReturn:
    """Raise the one error wording of the library."""
    shape = getattr(got, "shape", ())  # an array says more by its shape
    text = f"{type(got).__name__} of shape {tuple(shape)}" if shape else repr(got)
    raise kind(f"`{owner}({name}=...)` must be {expected}. Received: {name}={text}")


def untranslated(owner: str, operation: str, reason: str) -> NoReturn:
    """Raise the error of an operation of another library that has no equivalent."""
    raise ValueError(f"`{owner}`: {operation} has no equivalent here: {reason}")


_LEAST = -sys.float_info.max


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return hasattr(value, "__index__") and not isinstance(value, bool)


def _numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(map(_is_number, value))


def _pair(owner, name, pair, got, low, high) -> tuple[float, float]:
    ordered = _numbers(pair) and len(pair) == 2 and low <= pair[0] <= pair[1] <= high
    if not ordered:
        fail(owner, name, f"a number or an ordered pair within [{low}, {high}]", got)
    return float(pair[0]), float(pair[1])


def _within(low, high) -> str:
    """Say bounds, of which those that are infinite are none."""
    if math.isfinite(high):
        return f" within [{low}, {high}]"
    return f" of at least {low}" if math.isfinite(low) else ""


def number(
    owner: str,
    name: str,
    value: Any,
    low: float = -float("inf"),
    high: float = float("inf"),
) -> float:
    """Check that `value` is a finite number within [low, high]."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if not _is_number(value) or not math.isfinite(value) or not low <= value <= high:
        fail(owner, name, f"a finite number{_within(low, high)}", value)
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
        fail(owner, name, f"a whole number{_within(low, high)}", value)
    return int(value)


def _is_odd(value: Any, low: int, high: int) -> bool:
    return _is_whole(value) and low <= value <= high and value % 2 == 1


def odd(owner: str, name: str, value: Any, low: int, high: int) -> int:
    """Check that `value` is an odd whole number within [low, high]."""
    if not _is_odd(value, low, high):
        fail(owner, name, f"an odd whole number within [{low}, {high}]", value)
    return int(value)


def odd_sizes(
    owner: str, name: str, value: Any, low: int, high: int
) -> tuple[int, int]:
    """Turn `x` into `(x, x)`; check both are odd and within [low, high]."""
    two = value if isinstance(value, (list, tuple)) else (value, value)
    if len(two) != 2 or not all(_is_odd(x, low, high) for x in two):
        expected = f"one or two odd whole numbers within [{low}, {high}]"
        fail(owner, name, expected, value)
    return int(two[0]), int(two[1])


def unit(owner: str, name: str, value: Any) -> float:
    """Check that `value` lies within [0, 1]."""
    return number(owner, name, value, 0.0, 1.0)


def below_one(owner: str, name: str, value: Any) -> float:
    """Check that `value` lies within [0, 1)."""
    if not _is_number(value) or not 0.0 <= value < 1.0:
        fail(owner, name, "a number within [0, 1)", value)
    return float(value)


def positive(owner: str, name: str, value: Any, high: float = math.inf) -> float:
    """Check that `value` is a finite number above 0, and at most `high`."""
    if not _is_number(value) or not 0.0 < value <= high or math.isinf(value):
        bound = "" if math.isinf(high) else f" and at most {high}"
        fail(owner, name, f"a finite number above 0{bound}", value)
    return float(value)


def inside_unit(owner: str, name: str, value: Any) -> float:
    """Check that `value` lies between 0 and 1, neither of them included."""
    if not _is_number(value) or not 0.0 < value < 1.0:
        fail(owner, name, "a number above 0 and below 1", value)
    return float(value)


def span(
    owner: str,
    name: str,
    value: Any,
    low: float,
    high: float,
    neutral: float = 0.0,
) -> tuple[float, float]:
    """Turn `x` into `(neutral - |x|, neutral + |x|)`; check it is in bounds."""
    pair = value
    if _is_number(value):
        pair = (neutral - abs(value), neutral + abs(value))
    return _pair(owner, name, pair, value, low, high)


def value_range(owner: str, value: Any) -> tuple[float, float]:
    """Check that `value` is a pair `(low, high)` with `low < high`."""
    pair = _numbers(value) and len(value) == 2 and all(map(math.isfinite, value))
    if not pair or not value[0] < value[1]:
        fail(owner, "value_range", "a finite pair (low, high) with low < high", value)
    return float(value[0]), float(value[1])


def one_of(owner: str, name: str, value: Any, choices: Collection[str]) -> str:
    """Check that `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        fail(owner, name, f"one of {sorted(choices)}", value)
    return value


def rising(owner: str, name: str, value: Any) -> list[int]:
    """Check that `value` holds whole numbers of at least 1 in rising order."""
    numbers = list(value) if isinstance(value, (list, tuple)) else []
    whole = numbers and all(map(_is_whole, numbers))
    if not whole or numbers[0] < 1 or sorted(set(numbers)) != numbers:
        fail(owner, name, "whole numbers of at least 1 in rising order", value)
    return [int(x) for x in numbers]


def installed(owner: str, module: str, extra: str) -> None:
    """Raise an error that names the extra if a module is missing."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"`perfkit.{owner}` needs {module}. Install it: "
            f"pip install 'perfkit[{extra}]'"
        ) from error


def choices(owner: str, name: str, value: Any, low: int, high: int) -> tuple[int, ...]:
    """Check that `value` holds different whole numbers within [low, high]."""
    whole = isinstance(value, (list, tuple)) and all(map(_is_whole, value))
    allowed = value and whole and all(low <= x <= high for x in value)
    if not allowed or len(set(value)) < len(value):
        fail(owner, name, f"different whole numbers within [{low}, {high}]", value)
    return tuple(int(x) for x in value)


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


def built(owner: str, name: str, model: Any) -> Any:
    """Check that a Keras model is built."""
    if not model.built:
        expected = "a built model; call it once or begin it with `keras.Input`"
        fail(owner, name, expected, model)
    return model


def data_format(owner: str, value: Any) -> str:
    """Check where an image has its channels; None for Keras's own setting."""
    formats = ("channels_first", "channels_last")
    value = value or keras.config.image_data_format()
    return one_of(owner, "data_format", value, formats)


def reach(
    owner: str, name: str, value: Any, low: float, high: float
) -> tuple[float, float]:
    """Turn `x` into `(low, x)`; check it is ordered and in bounds."""
    pair = (low, value) if _is_number(value) else value
    return _pair(owner, name, pair, value, low, high)


def fixed_or_span(
    owner: str, name: str, value: Any, low: float, high: float
) -> tuple[float, float]:
    """Turn `x` into `(x, x)`; check it is ordered and in bounds."""
    pair = (value, value) if _is_number(value) else value
    return _pair(owner, name, pair, value, low, high)


def whole_or_span(
    owner: str, name: str, value: Any, low: int, high: int
) -> tuple[int, int]:
    """Turn `x` into `(x, x)`; check for whole numbers, ordered and in bounds."""
    pair = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    whole = all(map(_is_whole, pair))
    if not whole or len(pair) != 2 or not low <= pair[0] <= pair[1] <= high:
        expected = f"a whole number or an ordered pair of them within [{low}, {high}]"
        fail(owner, name, expected, value)
    return int(pair[0]), int(pair[1])


def whole_numbers(
    owner: str, name: str, value: Any, count: int, low: int, high: int
) -> tuple[int, ...]:
    """Check that `value` holds `count` whole numbers within [low, high]."""
    numbers = tuple(value) if isinstance(value, (list, tuple)) else ()
    whole = all(map(_is_whole, numbers))
    if not whole or len(numbers) != count or not all(low <= x <= high for x in numbers):
        fail(owner, name, f"{count} whole numbers within [{low}, {high}]", value)
    return tuple(int(x) for x in numbers)


def pair(
    owner: str, name: str, value: Any, low: float, high: float
) -> tuple[float, float]:
    """Check that `value` is an ordered pair within [low, high]."""
    if _is_number(value):
        fail(owner, name, f"an ordered pair within [{low}, {high}]", value)
    return _pair(owner, name, value, value, low, high)


def margins(
    owner: str, name: str, value: Any, low: float, high: float
) -> tuple[float, float]:
    """Turn `x` into `(x, x)`; check both numbers are within [low, high]."""
    two = (value, value) if _is_number(value) else value
    if not _numbers(two) or len(two) != 2 or not all(low <= x <= high for x in two):
        fail(owner, name, f"a number or two numbers within [{low}, {high}]", value)
    return float(two[0]), float(two[1])


def _one_or_list(owner, name, value, low, expected) -> float | list[float]:
    items = value.tolist() if hasattr(value, "tolist") else value
    entries = [items] if _is_number(items) else items
    known = _numbers(entries) and entries
    if not known or not all(low <= x < math.inf for x in entries):
        fail(owner, name, expected, value)
    return float(items) if _is_number(items) else [float(x) for x in items]


def per_channel(owner: str, name: str, value: Any) -> float | list[float]:
    """Check that `value` is a finite number, or a list of them."""
    expected = "a finite number or a list of them, one a channel"
    return _one_or_list(owner, name, value, _LEAST, expected)


def filling(owner: str, name: str, value: Any) -> float | list[float] | str:
    """Check that `value` is a number, a list of them, "mean" or "noise"."""
    if str(value) in ("mean", "noise"):
        return str(value)
    expected = "a finite number, a list of them, one a channel, 'mean' or 'noise'"
    return _one_or_list(owner, name, value, _LEAST, expected)


def odds(
    owner: str, name: str, value: Any, many: int, each: str = "layer"
) -> list[float]:
    """Check that `value` is `many` numbers of at least 0, not all of them 0."""
    items = value.tolist() if hasattr(value, "tolist") else value
    if (
        not _numbers(items)
        or len(items) != many
        or not all(0.0 <= x < math.inf for x in items)
        or not sum(items) > 0.0
    ):
        fail(owner, name, f"{many} numbers of at least 0, one a {each}", value)
    return [float(x) for x in items]


def ids(owner: str, name: str, value: Any) -> list[int]:
    """Check that `value` is a list of whole numbers of at least 0, and sort them."""
    items = value.tolist() if hasattr(value, "tolist") else value
    whole = isinstance(items, (list, tuple, set, frozenset)) and all(
        _is_whole(number) and number >= 0 for number in items
    )
    if not whole:
        fail(owner, name, "a list of whole numbers of at least 0", value)
    return sorted({int(number) for number in items})


def sizes(owner: str, name: str, value: Any) -> float | list[float]:
    """Check that `value` is a finite number of at least 0, or a list of them."""
    expected = "a finite number of at least 0, or a list of them"
    return _one_or_list(owner, name, value, 0.0, expected)
