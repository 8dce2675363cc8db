"""A bound on the norm of each output unit."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import kernels
from perfkit.regularizers.of_units import OfUnits


@keras.saving.register_keras_serializable(package="perfkit")
class MaxNorm(OfUnits, keras.constraints.Constraint):
    """The constraint that `max_norm` makes; see there."""

    factory = "max_norm"

    def __init__(self, max_value=2.0, *, axis=None):
        super().__init__(axis)
        self.max_value = _check.number(self.factory, "max_value", max_value, 0.0)

    def __call__(self, w):
        wide = kernels.in_float32(w)
        norms = kernels.norms(wide, self.units)
        # Exactly 1 where a unit is within the bound, which leaves it as it is.
        factor = self.max_value / ops.maximum(norms, max(self.max_value, 1e-30))
        return ops.cast(wide * factor, w.dtype)


def max_norm(max_value=2.0, *, axis=None) -> MaxNorm:
    """Make the constraint that no output unit of a kernel has a larger norm.

    A unit that is too long after an update is scaled back; its direction stays.

    Args:
        max_value: The largest Euclidean norm of a unit. At least 0.
        axis: Axis of the kernel that numbers the output units, or several of them;
            `None` is the last one, or what `constrain` finds right for the layer.
            Keras's `MaxNorm` takes the others instead, by default those of `Dense`.

    Shape:
        A kernel of any rank; same shape out.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> kernel = keras.ops.array([[3.0, 0.5], [4.0, 0.25]])
        >>> keras.ops.convert_to_numpy(max_norm(2.5)(kernel)).tolist()
        [[1.5, 0.5], [2.0, 0.25]]

    Reference: Srivastava et al., Dropout, 2014, Journal of Machine Learning Research
        15.
    """
    return MaxNorm(max_value, axis=axis)
