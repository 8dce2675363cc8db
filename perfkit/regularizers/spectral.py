"""A penalty on how much a kernel can enlarge its inputs."""

import keras

from perfkit import _check
from perfkit.ops import kernels, spectrum
from perfkit.regularizers.of_units import OfUnits


@keras.saving.register_keras_serializable(package="perfkit")
class Spectral(OfUnits, keras.Regularizer):
    """The penalty that `spectral` makes; see there."""

    factory = "spectral"

    def __init__(self, strength, *, steps=10, axis=None):
        super().__init__(axis)
        self.strength = _check.number(self.factory, "strength", strength, 0.0)
        self.steps = _check.integer(self.factory, "steps", steps)

    def __call__(self, kernel):
        matrix = kernels.matrix(kernels.in_float32(kernel), self.units)
        largest = spectrum.largest_singular_value_squared(matrix, self.steps)
        return self.strength * largest


def spectral(strength, *, steps=10, axis=None) -> Spectral:
    """Make a penalty on the square of the largest singular value of a kernel.

    The kernel is taken for a matrix with a column for each output unit. To hold the
    singular value at 1 instead, wrap the layer into Keras's `SpectralNormalization`.

    Args:
        strength: Factor of the square. At least 0.
        steps: Power iterations. At least 1. With few of them the value is too small
            where the largest singular values are close to each other.
        axis: Axis of the kernel that numbers the output units, or several of them;
            `None` is the last one, or what `attach` finds right for the layer.

    Shape:
        A kernel of any rank; a scalar out, float32.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> kernel = keras.ops.array([[3.0, 0.0], [0.0, 1.0]])
        >>> round(float(spectral(1.0)(kernel)), 4)
        9.0

    Reference: Yoshida & Miyato, Spectral Norm Regularization for Improving the
        Generalizability of Deep Learning, 2017, arXiv 1705.10941. Their factor is half
        of it; they keep the vector of one iteration from step to step, where we begin
        with a fixed vector each time and make 10.
    """
    return Spectral(strength, steps=steps, axis=axis)
