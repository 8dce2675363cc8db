"""Kernels by their output units: which axes number them, norms, matrices.

A unit is what makes one output: a column of a dense kernel, a filter of a convolution.
"""

import math

from perfkit._backend import dtype_of
from perfkit._backend import keras_ops as ops

# The axes that number the output units, by the kind of a kernel and its shape.
UNITS = {
    "dense": (-1,),  # (inputs, outputs), and of recurrent layers
    "convolution": (-1,),  # (*places, inputs, outputs)
    "depthwise": (-2, -1),  # (*places, inputs, multiplier): one for each pair
    "transposed": (-2,),  # (*places, outputs, inputs)
    "embedding": (0,),  # (tokens, features): what one token gives
}


def units_of_einsum(equation) -> tuple[int, ...]:
    """Return the axes of the units of the kernel of an `EinsumDense`.

    Example:
        >>> units_of_einsum("abc,cde->abde")  # a query of attention
        (-2, -1)
    """
    inputs, output = equation.replace(" ", "").split("->")
    letters = inputs.split(",")[1]
    axes = [k - len(letters) for k, letter in enumerate(letters) if letter in output]
    return tuple(axes) or UNITS["dense"]


def units_of_path(path, rank) -> tuple[int, ...]:
    """Guess the axes of the units of a variable from its path and its rank.

    For whoever sees variables and no layers. It goes by the names that Keras gives,
    so a transposed convolution that the user named `up` is taken for a plain one.

    Args:
        path: `keras.Variable.path`, such as `model/conv2d_transpose_1/kernel`.
        rank: Number of axes.

    Example:
        >>> units_of_path("model/conv2d_transpose_1/kernel", 4)
        (-2,)
    """
    *_, layer, name = ["", *path.split("/")]
    kind = "dense"
    if name in ("embeddings", "lora_embeddings_a"):
        kind = "embedding"
    elif name == "depthwise_kernel" or layer.startswith("depthwise_conv"):
        kind = "depthwise" if "kernel" in name else "dense"
    elif name == "kernel" and layer.startswith("conv") and "_transpose" in layer:
        kind = "transposed"
    elif name == "kernel" and layer in ("query", "key", "value") and rank == 3:
        return (-2, -1)
    return tuple(axis for axis in UNITS[kind] if axis >= -rank)


def in_float32(kernel):
    """Return a kernel as a tensor of no less than float32."""
    kernel = ops.convert_to_tensor(kernel)
    return kernel if dtype_of(kernel) == "float64" else ops.cast(kernel, "float32")


def norms(kernel, units):
    """Return the Euclidean norm of each unit, `kernel`'s shape with 1 elsewhere.

    The gradient of the norm of a unit of zeros is 0.

    Args:
        kernel: Tensor of any rank.
        units: Its axes that number the units.
    """
    squares = ops.sum(ops.square(kernel), axis=_others(kernel, units), keepdims=True)
    return root(squares)


def with_norms(kernel, lengths, units):
    """Return a kernel whose units have these norms and keep their directions, float32.

    Units of zeros have no direction and stay zeros.

    Args:
        kernel: Tensor of any rank.
        lengths: Norms in the shape of the axes `units`.
        units: Axes of the kernel that number the units.
    """
    kernel = in_float32(kernel)
    now = norms(kernel, units)
    lengths = ops.reshape(ops.cast(lengths, kernel.dtype), now.shape)
    return kernel * (lengths / ops.where(now > 0, now, 1.0))


def root(squares):
    """Return square roots whose gradient at 0 is 0 rather than infinite."""
    some = squares > 0
    return ops.where(some, ops.sqrt(ops.where(some, squares, 1.0)), 0.0)


def unit_size(kernel, units) -> int:
    """Return how many weights one unit has."""
    return math.prod(kernel.shape[axis] for axis in _others(kernel, units))


def matrix(kernel, units):
    """Return a kernel as a matrix `(weights of a unit, units)`."""
    rows = _others(kernel, units)
    columns = sorted(axis % len(kernel.shape) for axis in units)
    size = unit_size(kernel, units)
    count = math.prod(kernel.shape[axis] for axis in columns)
    return ops.reshape(ops.transpose(kernel, (*rows, *columns)), (size, count))


def from_matrix(table, kernel, units):
    """Return a matrix as a kernel of the shape of `kernel`, the inverse of `matrix`."""
    rows = _others(kernel, units)
    order = (*rows, *sorted(axis % len(kernel.shape) for axis in units))
    table = ops.reshape(table, [kernel.shape[axis] for axis in order])
    return ops.transpose(table, [order.index(axis) for axis in range(len(order))])


def _others(kernel, units) -> tuple[int, ...]:
    rank = len(kernel.shape)
    if not all(-rank <= axis < rank for axis in units):
        raise ValueError(f"no axis {units} in a kernel of shape {tuple(kernel.shape)}")
    numbered = {axis % rank for axis in units}
    return tuple(axis for axis in range(rank) if axis not in numbered)
