"""A penalty that changes with the depth of the layer."""

from collections.abc import Callable

import keras

from perfkit import _check


def by_depth(first, last) -> Callable[[float], keras.regularizers.L1L2]:
    """Make L1 and L2 penalties that change in a straight line with the depth.

    For `attach`, which gives each kernel its own. It returns a function of the depth,
    0 in the first layer that owns kernels and 1 in the last; any other function from
    depth to regularizer serves `attach` as well.

    Args:
        first: Strength in the first layer: that of L2, or a pair of those of L1 and
            L2. At least 0.
        last: The same in the last layer.

    Raises:
        ValueError: If `first` or `last` is neither a number nor a pair, or below 0.

    Example:
        >>> penalty = by_depth(0.0, (0.2, 0.4))(0.5)
        >>> (penalty.l1, penalty.l2)
        (0.1, 0.2)

    Reference: none. L1 and L2 together are the elastic net of Zou & Hastie, 2005.
    """
    starts, ends = _pair("first", first), _pair("last", last)

    def at(depth):
        if not isinstance(depth, int | float):  # a layer would call it with its kernel
            expected = "from 0 to 1: give what `by_depth` makes to `attach`, no layer"
            _check.fail("by_depth", "depth", expected, depth, TypeError)
        l1, l2 = (
            start + (end - start) * depth
            for start, end in zip(starts, ends, strict=True)
        )
        return keras.regularizers.L1L2(l1=l1, l2=l2)

    return at


def _pair(name, value) -> tuple[float, float]:
    several = value if isinstance(value, (list, tuple)) else (0.0, value)
    if len(several) != 2:
        _check.fail("by_depth", name, "a number or a pair (l1, l2)", value)
    l1, l2 = (_check.number("by_depth", name, part, 0.0) for part in several)
    return l1, l2
