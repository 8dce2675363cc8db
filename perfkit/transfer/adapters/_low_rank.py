"""The weights that a low-rank adapter adds to a layer, and the kernel they make."""

import math
from typing import Any

import keras

from perfkit import _backend
from perfkit.graph import kernels as graph
from perfkit.graph.owners import own_weights
from perfkit.ops import kernels, low_rank


class LowRank(keras.layers.Layer):
    """Hold what a method such as `LoRA` learns of one kernel.

    It lies inside the layer that owns the kernel, and is never called itself. Its
    weights are float32 whatever the kernel is, or float64 if the kernel is.
    """

    def __init__(self, method, place, kernel, units, number):
        dtype = "float64" if kernel.dtype == "float64" else "float32"
        super().__init__(name=attribute(place), dtype=dtype)
        self.method = method
        self.place = place  # of the kernel among the weights that the layer owns
        self.units = tuple(units)
        own = shapes(method, kernel, units)
        seed = None if method.seed is None else method.seed + number
        uniform = keras.initializers.VarianceScaling(
            1.0 / 3.0, mode="fan_in", distribution="uniform", seed=seed
        )
        self.a = self.add_weight(shape=own["a"], initializer=uniform, name="a")
        self.b = self.add_weight(shape=own["b"], initializer="zeros", name="b")
        self.magnitude = None
        if method.decomposed:

            def lengths(shape, dtype):
                # Called when variables are given values, which may be later than now.
                norms = kernels.norms(kernels.in_float32(kernel), self.units)
                return keras.ops.cast(keras.ops.reshape(norms, shape), dtype)

            self.magnitude = self.add_weight(
                shape=own["magnitude"], initializer=lengths, name="magnitude"
            )
        self.built = True

    @property
    def scale(self) -> float:
        """What the product of the two matrices is multiplied by."""
        return self.method.scale

    def kernel(self, kernel) -> Any:
        """Return the kernel that the layer is to use in place of its own."""
        kernel = self._added(kernel)
        if self.magnitude is None:
            return kernel
        factors = low_rank.stretch(kernel, self.magnitude, self.units)
        return kernel * keras.ops.cast(factors, kernel.dtype)

    def stretch(self, kernel) -> Any:
        """Return what each unit's output is multiplied by, `(units,)`."""
        factors = low_rank.stretch(self._added(kernel), self.magnitude, self.units)
        return keras.ops.reshape(factors, (-1,))

    def _added(self, kernel):
        kernel = keras.ops.convert_to_tensor(kernel)
        return low_rank.added(kernel, self.a, self.b, self.scale, self.units)


def shapes(method, kernel, units) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the weights of an adapter, by their names."""
    size = kernels.unit_size(kernel, units)
    count = math.prod(kernel.shape) // size
    rank = min(method.rank, size, count)
    lengths = {"magnitude": (count,)} if method.decomposed else {}
    return {"a": (size, rank), "b": (rank, count), **lengths}


def attribute(place) -> str:
    """Name of the attribute of a layer that holds an adapter.

    By the number of the kernel: the name of a weight that was given none is another one
    in the next model.
    """
    return f"adapter_{place}"


def put(layer, method, place, number=0) -> LowRank:
    """Put an adapter into a layer, of the kernel at a place among its own weights."""
    kernel = own_weights(layer)[place]
    units = graph.units(layer, kernel.name)
    path = kernel.path.rpartition("/")[0] or layer.name  # beside the kernel
    above, _, last = path.rpartition("/")
    scope = keras.name_scope(last, deduplicate=False, override_parent=above)
    with _backend.outside_graph(), _backend.unlocked(layer), scope:
        adapter = LowRank(method, place, kernel, units, number)
        setattr(layer, attribute(place), adapter)
    return adapter
