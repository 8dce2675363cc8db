"""Penalties on kernels whose units are not orthonormal."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.ops import kernels, spectrum
from perfkit.regularizers.of_units import OfUnits

_MODES = ("soft", "double_soft", "srip")


@keras.saving.register_keras_serializable(package="perfkit")
class Orthogonal(OfUnits, keras.Regularizer):
    """The penalty that `orthogonal` makes; see there."""

    factory = "orthogonal"

    def __init__(self, strength, mode="soft", *, steps=10, axis=None):
        super().__init__(axis)
        self.strength = _check.number(self.factory, "strength", strength, 0.0)
        self.mode = _check.one_of(self.factory, "mode", mode, _MODES)
        self.steps = _check.integer(self.factory, "steps", steps)

    def __call__(self, kernel):
        matrix = kernels.matrix(kernels.in_float32(kernel), self.units)
        gram = spectrum.gram(matrix)
        gap = gram - ops.eye(gram.shape[0], dtype=gram.dtype)
        if self.mode == "srip":
            return self.strength * spectrum.largest_eigenvalue_size(gap, self.steps)
        soft = ops.sum(ops.square(gap))
        if self.mode == "soft":
            return self.strength * soft
        # The products the other way round have the same gap, and 1 for each of the
        # rows or columns that are too many to be orthonormal.
        return self.strength * (2.0 * soft + abs(matrix.shape[0] - matrix.shape[1]))


def orthogonal(strength, mode="soft", *, steps=10, axis=None) -> Orthogonal:
    """Make a penalty on kernels whose output units are not orthonormal.

    The kernel is taken for a matrix W, a column for each output unit, or a row where
    there are more units than weights in one; then the rows of W are to be orthonormal.

    Args:
        strength: Factor of the penalty. At least 0.
        mode: `"soft"` for the sum of the squares of W'W - I; `"double_soft"` for that
            of W'W - I and of WW' - I; `"srip"` for the largest eigenvalue of W'W - I,
            which pushes at the worst direction alone.
        steps: Power iterations of `"srip"`. At least 1.
        axis: Axis of the kernel that numbers the output units, or several of them;
            `None` is the last one, or what `attach` finds right for the layer.

    Shape:
        A kernel of any rank; a scalar out, float32.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> kernel = keras.ops.array([[1.0, 0.0], [0.0, 2.0]])
        >>> [float(orthogonal(1.0, mode)(kernel)) for mode in ("soft", "double_soft")]
        [9.0, 18.0]

    Reference: Bansal et al., Can We Gain More from Orthogonality Regularizations in
        Training Deep CNNs?, 2018, arXiv 1810.09102. Of W'W and WW' we take the smaller:
        the gradient of `"soft"` is the same and 0 can be reached, and `"srip"` does not
        stop at 1. The gradient of `"double_soft"` is twice that of `"soft"`, which the
        paper does not mention. The iteration begins with a fixed vector and has 10
        steps; the paper draws one and makes 2.
    """
    return Orthogonal(strength, mode, steps=steps, axis=axis)
