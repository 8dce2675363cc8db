"""Output units of norm 1."""

import keras

from perfkit._backend import ops
from perfkit.ops import kernels
from perfkit.regularizers.of_units import OfUnits


@keras.saving.register_keras_serializable(package="perfkit")
class UnitNorm(OfUnits, keras.constraints.Constraint):
    """The constraint that `unit_norm` makes; see there."""

    factory = "unit_norm"

    def __init__(self, *, axis=None):
        super().__init__(axis)

    def __call__(self, w):
        wide = kernels.in_float32(w)
        norms = kernels.norms(wide, self.units)
        return ops.cast(wide / ops.maximum(norms, 1e-12), w.dtype)


def unit_norm(*, axis=None) -> UnitNorm:
    """Make the constraint that each output unit of a kernel has norm 1.

    A unit of zeros stays one.

    Args:
        axis: Axis of the kernel that numbers the output units, or several of them;
            `None` is the last one, or what `constrain` finds right for the layer.
            Keras's `UnitNorm` takes the others instead, by default those of `Dense`.

    Shape:
        A kernel of any rank; same shape out.

    Raises:
        ValueError: If `axis` is not one of a kernel's.

    Example:
        >>> kernel = keras.ops.array([[0.0, 0.5], [4.0, 0.0]])
        >>> keras.ops.convert_to_numpy(unit_norm()(kernel)).tolist()
        [[0.0, 1.0], [1.0, 0.0]]

    Reference: none (standard).
    """
    return UnitNorm(axis=axis)
