"""Penalties on single weights: L1, L2 and both."""

import keras

from perfkit import _check


def l1(strength) -> keras.regularizers.L1:
    """Make the penalty `strength * sum(abs(kernel))`.

    Args:
        strength: Factor of the sum. At least 0.

    Raises:
        ValueError: If `strength` is below 0.

    Example:
        >>> float(l1(0.5)(keras.ops.array([[1.0, -2.0]])))
        1.5

    Reference: none (standard). It is Keras's own `L1`.
    """
    return keras.regularizers.L1(_strength("l1", "strength", strength))


def l2(strength) -> keras.regularizers.L2:
    """Make the penalty `strength * sum(square(kernel))`.

    Args:
        strength: Factor of the sum. At least 0.

    Raises:
        ValueError: If `strength` is below 0.

    Example:
        >>> float(l2(0.5)(keras.ops.array([[1.0, -2.0]])))
        2.5

    Reference: none (standard). It is Keras's own `L2`.
    """
    return keras.regularizers.L2(_strength("l2", "strength", strength))


def l1_l2(l1, l2) -> keras.regularizers.L1L2:
    """Make the penalty `l1 * sum(abs(kernel)) + l2 * sum(square(kernel))`.

    Args:
        l1: Factor of the sum of sizes. At least 0.
        l2: Factor of the sum of squares. At least 0.

    Raises:
        ValueError: If a factor is below 0.

    Example:
        >>> float(l1_l2(0.5, 1.0)(keras.ops.array([[1.0, -2.0]])))
        6.5

    Reference: Zou & Hastie, Regularization and Variable Selection via the Elastic Net,
        2005. It is Keras's own `L1L2`.
    """
    return keras.regularizers.L1L2(
        l1=_strength("l1_l2", "l1", l1), l2=_strength("l1_l2", "l2", l2)
    )


def _strength(owner, name, value) -> float:
    return _check.number(owner, name, value, 0.0)
