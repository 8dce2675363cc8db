"""The part of `keras.ops` that perfkit uses, in NumPy, for the host engine.

Results are float32 and int32 where NumPy would widen them.
"""

import functools
from typing import Any

import numpy as np

_NARROW = {"d": "float32", "l": "int32", "q": "int32"}  # by the code of a dtype
# Giles, Approximating the erfinv function, 2010: single precision.
_ERFINV_CENTER = (
    2.81022636e-08,
    3.43273939e-07,
    -3.5233877e-06,
    -4.39150654e-06,
    0.00021858087,
    -0.00125372503,
    -0.00417768164,
    0.246640727,
    1.50140941,
)
_ERFINV_TAILS = (
    -0.000200214257,
    0.000100950558,
    0.00134934322,
    -0.00367342844,
    0.00573950773,
    -0.0076224613,
    0.00943887047,
    1.00167406,
    2.83297682,
)


def _erfinv(x):
    w = -np.log((1.0 - x) * (1.0 + x))
    center = np.polyval(_ERFINV_CENTER, w - 2.5)
    tails = np.polyval(_ERFINV_TAILS, np.sqrt(np.maximum(w, 5.0)) - 3.0)
    return np.where(w < 5.0, center, tails) * x


def _fori_loop(lower, upper, body, state):
    for k in range(lower, upper):
        state = body(k, state)
    return state


def _segment_sum(data, segment_ids, num_segments):
    total = np.bincount(segment_ids.ravel(), data.ravel(), num_segments)
    return total.astype(data.dtype)


def _slice(x, start, shape):
    return x[tuple(slice(k, k + n) for k, n in zip(start, shape, strict=True))]


def _left_shift(x, bits):
    return np.left_shift(x, np.asarray(bits, "int32"))


_TABLE = {
    "abs": np.abs,
    "all": np.all,
    "any": np.any,
    "arange": lambda stop, dtype: np.arange(stop, dtype=dtype),
    "argsort": lambda x, axis=-1: np.argsort(x, axis, kind="stable"),
    "bitwise_and": np.bitwise_and,
    "bitwise_or": np.bitwise_or,
    "bitwise_xor": np.bitwise_xor,
    "clip": np.clip,
    "concatenate": lambda xs, axis=0: np.concatenate(xs, axis),
    "cos": np.cos,
    "cumsum": np.cumsum,
    "erfinv": _erfinv,
    "exp": np.exp,
    "eye": lambda size, dtype: np.eye(size, dtype=dtype),
    "floor": np.floor,
    "isfinite": np.isfinite,
    "left_shift": _left_shift,
    "log": np.log,
    "max": np.max,
    "maximum": np.maximum,
    "mean": lambda x, axis=None: np.mean(x, axis, dtype="float32"),
    "min": np.min,
    "minimum": np.minimum,
    "ones_like": np.ones_like,
    "pad": np.pad,
    "power": np.power,
    "repeat": np.repeat,
    "reshape": np.reshape,
    "right_shift": np.right_shift,
    "round": np.round,
    "segment_sum": _segment_sum,
    "sin": np.sin,
    "sort": np.sort,
    "sqrt": np.sqrt,
    "stack": lambda xs, axis=0: np.stack(xs, axis),
    "sum": np.sum,
    "take": lambda x, index, axis: np.take(x, index, axis),
    "transpose": np.transpose,
    "where": np.where,
    "zeros_like": np.zeros_like,
}
# These return what they were asked for, or no array at all.
_EXACT = {
    "cast": lambda x, dtype: np.asarray(x).astype(dtype, copy=False),
    "convert_to_tensor": lambda x, dtype: np.asarray(x, dtype),
    "fori_loop": _fori_loop,
    "one_hot": lambda x, size, dtype: (
        np.asarray(x)[..., None] == np.arange(size)
    ).astype(dtype),
    "shape": np.shape,
    "slice": _slice,
    "zeros": lambda shape, dtype: np.zeros(shape, dtype),
}


def _narrowed(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        result = function(*args, **kwargs)
        narrow = _NARROW.get(result.dtype.char)
        return result if narrow is None else result.astype(narrow)

    return call


class NumpyOps:
    """`keras.ops` on NumPy arrays."""

    def __getattr__(self, name) -> Any:
        raise AttributeError(
            f"perfkit's `ops.{name}` is not translated to NumPy. Add it to the table "
            "in perfkit/_numpy_ops.py."
        )


for _name, _function in _TABLE.items():
    setattr(NumpyOps, _name, staticmethod(_narrowed(_function)))
for _name, _function in _EXACT.items():
    setattr(NumpyOps, _name, staticmethod(_function))
