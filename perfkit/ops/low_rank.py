"""Kernels with a product of two thin matrices added: LoRA and DoRA.

The kernel is seen as a matrix `(weights of a unit, units)`.
"""

import string

from perfkit._backend import keras_ops as ops
from perfkit.ops import kernels


def added(kernel, a, b, scale, units):
    """Return `kernel + scale * a @ b`.

    Args:
        kernel: Tensor of any rank.
        a: `(weights of a unit, rank)`.
        b: `(rank, units)`.
        scale: Number.
        units: Axes of the kernel that number the units.
    """
    product = kernels.from_matrix(ops.matmul(a, b), kernel, units)
    return kernel + ops.cast(scale * product, kernel.dtype)


def stretch(kernel, magnitude, units):
    """Return what each unit is to be multiplied by to have these norms, float32.

    The gradient goes to `magnitude` alone. A unit of zeros has no direction and gets 1.

    Args:
        kernel: Tensor of any rank.
        magnitude: `(units,)`, norms.
        units: Axes of the kernel that number the units.

    Returns:
        The kernel's shape with 1 along other axes than `units`.
    """
    now = kernels.norms(kernels.in_float32(kernel), units)
    now = ops.stop_gradient(now)
    wanted = ops.reshape(ops.cast(magnitude, now.dtype), ops.shape(now))
    return ops.where(now > 0, wanted / ops.where(now > 0, now, 1.0), 1.0)


def thin_equations(equation) -> tuple[str, str, str]:
    """Return how an einsum with a kernel goes through thin matrices instead.

    Args:
        equation: That of an `EinsumDense`, `inputs,kernel->outputs`.

    Returns:
        Equations of inputs with `a`, of that with `b`, and of outputs with a number
        for each unit. `a` has the kernel's axes without its units, then the rank, and
        `b` the rank, then the units.

    Example:
        >>> thin_equations("abc,cde->abde")  # a query of attention
        ('abc,cf->abf', 'abf,fde->abde', 'abde,de->abde')
    """
    operands, outputs = equation.replace(" ", "").split("->")
    inputs, kernel = operands.split(",")
    rows = "".join(letter for letter in kernel if letter not in outputs)
    columns = "".join(letter for letter in kernel if letter in outputs)
    rank = next(letter for letter in string.ascii_letters if letter not in equation)
    left = "".join(letter for letter in inputs if letter not in rows)
    between = f"{left[:-3]}{rank}..." if left.endswith("...") else f"{left}{rank}"
    return (
        f"{inputs},{rows}{rank}->{between}",
        f"{between},{rank}{columns}->{outputs}",
        f"{outputs},{columns}->{outputs}",
    )
