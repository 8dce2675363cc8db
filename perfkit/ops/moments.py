"""Running means of gradients, and what optimizers make of them.

These are for optimizers alone, whose tensors are always those of the Keras backend.
"""

import itertools
import math
from typing import Any

import keras


def mean(old, new, beta) -> Any:
    """Running mean that forgets by `beta`, within [0, 1), at each step."""
    return beta * old + (1.0 - beta) * new


def mass(beta, count) -> Any:
    """What the weights of a running mean that began at 0 add up to: 1 - beta^count.

    `1 - power(beta, count)` in float32 has lost four digits for `beta=0.999`.
    """
    if isinstance(beta, (int, float)):
        if not beta:
            return 1.0
        log: Any = math.log(beta)
    else:
        log = keras.ops.log(keras.ops.convert_to_tensor(beta))
    lost: Any = keras.ops.expm1(count * log)
    return -lost


def unbiased(old, beta, count):
    """The mean itself, from a running one that began at 0."""
    return old / mass(beta, count)


def norm(x) -> Any:
    """Euclidean length of all entries."""
    return keras.ops.sqrt(keras.ops.sum(keras.ops.square(x)))


def ratio(over, under) -> Any:
    """Quotient of two numbers of at least 0; 1 where one of them is 0."""
    both = keras.ops.logical_and(over > 0.0, under > 0.0)
    return keras.ops.where(both, over / keras.ops.where(both, under, 1.0), 1.0)


def rectification(beta, count):
    """Variance rectification of RAdam, arXiv 1908.03265.

    Args:
        beta: Of the running mean of squares. Within [0, 1).
        count: Number of the step, from 1, a float tensor.

    Returns:
        Whether the variance of the step is finite by now, and the factor that keeps
        it constant (0 where it is not).
    """
    most = 2.0 / (1.0 - beta) - 1.0
    if most <= 4.0:
        return count < 0.0, 0.0 * count
    # Found in double precision: in float32 the length is off by up to 1e-3.
    first = next(step for step in itertools.count(1) if _length(beta, step, most) > 4)
    power = 1.0 - mass(beta, count)
    length = most - 2.0 * count * power / mass(beta, count)
    share = (length - 4.0) * (length - 2.0) * most
    share = share / ((most - 4.0) * (most - 2.0) * length)
    finite = count > first - 0.5
    safe = keras.ops.where(finite, share, 1.0)
    return finite, keras.ops.where(finite, keras.ops.sqrt(safe), 0.0)


def _length(beta, step, most):
    return most - 2.0 * step * beta**step / (1.0 - beta**step)
