"""A penalty that empties whole output units."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import kernels
from perfkit.regularizers.of_units import OfUnits


@keras.saving.register_keras_serializable(package="perfkit")
class GroupLasso(OfUnits, keras.Regularizer):
    """The penalty that `group_lasso` makes; see there."""

    factory = "group_lasso"

    def __init__(self, strength, *, axis=None):
        super().__init__(axis)
        self.strength = _check.number(self.factory, "strength", strength, 0.0)

    def __call__(self, kernel):
        kernel = kernels.in_float32(kernel)
        factor = self.strength * math.sqrt(kernels.unit_size(kernel, self.units))
        return factor * ops.sum(kernels.norms(kernel, self.units))


def group_lasso(strength, *, axis=None) -> GroupLasso:
    """Make a penalty on the norm of each output unit: filters shrink as a whole.

    It is the sum over the units of `sqrt(weights in a unit) * norm`. Filters that it
    brings near 0 can be cut out. The gradient at a unit of zeros is 0.

    Args:
        strength: Factor of the sum. At least 0.
        axis: Axis of the kernel that numbers the output units, or several of them;
            `None` is the last one, or what `attach` finds right for the layer.

    Shape:
        A kernel of any rank; a scalar out, float32.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> kernel = keras.ops.array([[3.0, 0.0], [4.0, 0.0]])  # two units
        >>> round(float(group_lasso(1.0)(kernel)), 4)  # sqrt(2) * 5
        7.0711

    Reference: Yuan & Lin, Model Selection and Estimation in Regression with Grouped
        Variables, 2006; Wen et al., Learning Structured Sparsity in Deep Neural
        Networks, 2016, arXiv 1608.03665, which has no factor for the size of a unit.
    """
    return GroupLasso(strength, axis=axis)
