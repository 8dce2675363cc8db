"""The kernels in a model: the weights that multiply inputs or recurrent states."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from perfkit import _check
from perfkit.graph import selection
from perfkit.graph.owners import own_weights
from perfkit.graph.trails import Trail, names, trails
from perfkit.ops import kernels as kinds

# The first words of the constructor arguments through which Keras layers take the
# regularizer and the constraint of a variable of this name. `DepthwiseConv2D` calls
# its variable just `kernel`.
_ARGUMENTS = {
    "kernel": ("kernel", "depthwise"),
    "lora_kernel_a": ("kernel",),
    "lora_kernel_b": ("kernel",),
    "depthwise_kernel": ("depthwise",),
    "pointwise_kernel": ("pointwise",),
    "recurrent_kernel": ("recurrent",),
    "embeddings": ("embeddings",),
    "lora_embeddings_a": ("embeddings",),
    "lora_embeddings_b": ("embeddings",),
}
_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose)
_TRANSPOSED += (keras.layers.Conv3DTranspose,)
_DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
    """A kernel in a model.

    Attributes:
        path: Names of the layers from the model down and of the variable, joined
            with a slash, such as `block/dense/kernel`.
        variable: The `keras.Variable`.
        trail: The first way to the layer that owns it.
        number: Which of the layers with kernels it belongs to, from 0. A layer that
            holds layers, such as attention, is one; a model that is nested is not.
        count: How many numbers there are.
    """

    path: str
    variable: Any
    trail: Trail
    number: int
    count: int

    @property
    def depth(self) -> float:
        """How deep it lies: 0 in the first layer with kernels, 1 in the last."""
        return self.number / max(1, self.count - 1)

    @property
    def units(self) -> tuple[int, ...]:
        """The axes that number the output units."""
        return units(self.trail[-1], self.variable.name)

    @property
    def inputs(self) -> int | None:
        """The axis of the input channels, the last of several; None if none sums."""
        if is_depthwise(self.trail[-1], self.variable.name):
            return None
        rank = len(self.variable.shape)
        numbered = {axis % rank for axis in self.units}
        return max((k for k in range(rank) if k not in numbered), default=None)


def select(model, where) -> tuple[list[Kernel], list[Kernel]]:
    """Return all kernels in a model, each once, and those that `where` selects.

    Those of `Embedding` layers are selected only if `where` is given. A weight of a
    name that Keras does not use is a kernel if `where` names its layer exactly.
    """
    tracked = {id(weight) for weight in model.weights}
    found = [
        (trail, weight)
        for trail in trails(model)
        for weight in own_kernels(trail[-1], exactly=_names(where, trail))
        if id(weight) in tracked
    ]
    numbers: dict[int, int] = {}
    for trail, _ in found:
        numbers.setdefault(id(_counted(trail)), len(numbers))
    all_of, chosen = {}, {}
    for trail, weight in found:
        number, path = numbers[id(_counted(trail))], [*names(trail), weight.name]
        kernel = Kernel("/".join(path), weight, trail, number, len(numbers))
        kernel = all_of.setdefault(id(weight), kernel)
        if _selects(where, trail, weight, (kernel.number, kernel.count)):
            chosen[id(weight)] = kernel
    return list(all_of.values()), list(chosen.values())


def chosen(owner, model, where) -> tuple[list[Kernel], list[Kernel]]:
    """Check the arguments; return all kernels of the model and the selected ones."""
    _check.instance(owner, "model", model, keras.Model)
    _check.built(owner, "model", model)
    selection.check(owner, where)
    all_kernels, selected = select(model, where)
    for choice in selection.needed(where):
        if not select(model, choice)[1]:
            paths = [kernel.path.rpartition("/")[0] for kernel in all_kernels]
            expected = "a choice from the layers that own a kernel: "
            expected += ", ".join(dict.fromkeys(paths)) or "none in this model"
            _check.fail(owner, "where", expected, choice)
    return all_kernels, selected


def numbers(model) -> dict[int, tuple[int, int]]:
    """Return the number of each layer with kernels, and their count, by its `id`.

    Of layers that hold others it is the outermost that has the number.
    """
    found, _ = select(model, None)
    return {id(_counted(k.trail)): (k.number, k.count) for k in found}


def own_kernels(layer, *, exactly=False) -> list[Any]:
    """Return the kernels of a layer that no layer inside it owns.

    With `exactly`, a layer that is not Keras's own and has no kernel by name gives all
    of its matrices.
    """
    own = [
        weight
        for weight in own_weights(layer)
        if keras.backend.is_float_dtype(weight.dtype)
    ]
    known = [weight for weight in own if weight.name in _ARGUMENTS]
    if known or not exactly or type(layer).__module__.startswith("keras."):
        return known
    return [
        weight
        for weight in own
        if len(weight.shape) > 1 and (weight.trainable or not layer.trainable)
    ]


def units(layer, name) -> tuple[int, ...]:
    """Return the axes of the output units of the variable `name` of a layer."""
    if name in ("embeddings", "lora_embeddings_a"):
        return kinds.UNITS["embedding"]
    if is_depthwise(layer, name):
        return kinds.UNITS["depthwise"]
    if name == "kernel":
        if isinstance(layer, _TRANSPOSED):
            return kinds.UNITS["transposed"]
        if isinstance(layer, keras.layers.EinsumDense):
            return kinds.units_of_einsum(layer.equation)
    return kinds.UNITS["dense"]


def is_depthwise(layer, name) -> bool:
    """Whether each output of the variable `name` of a layer sees one input channel."""
    return name == "depthwise_kernel" or (
        name == "kernel" and isinstance(layer, _DEPTHWISE)
    )


def arguments(name, slot) -> Sequence[str]:
    """Return which arguments of a layer may set the `slot` of a variable `name`.

    Args:
        name: Name of the variable, such as `"kernel"`.
        slot: `"regularizer"` or `"constraint"`.
    """
    words = _ARGUMENTS.get(name, (name, "kernel"))
    return [f"{word}_{slot}" for word in words]


def _counted(trail) -> keras.Layer:
    """The outermost layer on a way that is not a model."""
    return next(
        (layer for layer in trail[1:] if not isinstance(layer, keras.Model)), trail[-1]
    )


def _names(where, trail) -> bool:
    return selection.names_exactly(where, trail)


def _selects(where, trail, weight, depth) -> bool:
    if where is None:
        return "embeddings" not in weight.name
    return selection.selects(where, trail, depth)
