"""The layers that a report has rows for, and what they weigh."""

import dataclasses
import gzip
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from perfkit.compress.reparameterized import KernelTransform, Reparameterized
from perfkit.graph.arrays import array
from perfkit.graph.kernels import own_kernels
from perfkit.graph.owners import own_weights
from perfkit.graph.trails import Trail, children, names, trails
from perfkit.ops import value_counts


@dataclasses.dataclass(frozen=True, eq=False)
class Unit:
    """A row of a report: a layer, without the layers in it that have rows of their own.

    Attributes:
        trail: The first way to it from the model.
        inside: The layers that it stands for, itself included.
        weights: Theirs.
        kernels: Those of the weights that are kernels.
    """

    trail: Trail
    inside: tuple[Any, ...]
    weights: tuple[Any, ...]
    kernels: tuple[Any, ...]

    @property
    def layer(self) -> Any:
        """The layer."""
        return self.trail[-1]

    @property
    def path(self) -> str:
        """Names from the model down, joined with a slash."""
        return "/".join(names(self.trail)) or self.layer.name

    @property
    def wrapped_path(self) -> str:
        """The path with the names of wrapped layers in place of the wrappers' names."""
        return "/".join(map(_wrapped_name, self.trail[1:])) or self.layer.name

    @property
    def kind(self) -> str:
        """Name of its class, and of that of the layer that it wraps."""
        kind = type(self.layer).__name__
        if not isinstance(self.layer, keras.layers.Wrapper):
            return kind
        return f"{kind}({type(self.layer.layer).__name__})"


def units(model) -> list[Unit]:
    """Return the units of a model in its order, each once.

    Keras's own layers and wrappers are one with what is in them. Models and layers of
    other classes that hold layers are looked into.
    """
    found, seen = [], set()
    for trail, inside in _ways((model,)):
        if id(trail[-1]) in seen:
            continue
        weights = own_weights(trail[-1]) if len(inside) == 1 else trail[-1].weights
        weights = [weight for weight in weights if id(weight) not in seen]
        plain = [layer for layer in inside if not isinstance(layer, KernelTransform)]
        kernels = [k for layer in plain for k in own_kernels(layer, exactly=True)]
        kernels = [kernel for kernel in kernels if id(kernel) not in seen]
        seen |= {id(each) for each in (trail[-1], *weights)}
        found.append(Unit(trail, inside, tuple(weights), tuple(kernels)))
    return found


def computed(units: list[Unit]) -> dict[int, np.ndarray]:
    """Return what layers compute with instead of a kernel, by the ids of the latter.

    It has no -0.0, which rounding makes and is no matter of how it is stored.
    """
    layers = {id(layer): layer for unit in units for layer in unit.inside}.values()
    return {
        id(layer.variable): array(layer.kernel) + 0.0
        for layer in layers
        if isinstance(layer, Reparameterized)
    }


def values(weights, instead: Mapping[int, np.ndarray] | None = None) -> list[Any]:
    """Return the values of variables, or of what there is instead of some."""
    known = instead or {}
    return [
        known[id(weight)] if id(weight) in known else array(weight)
        for weight in weights
    ]


def gzip_size(contents) -> int:
    """Return how many bytes gzip makes of arrays, one after the other."""
    return len(gzip.compress(b"".join(each.tobytes() for each in contents)))


def joined(dtypes) -> str:
    """Return the names of dtypes, each once."""
    return ", ".join(dict.fromkeys(dtypes))


def kernel_counts(arrays, sizes=None) -> tuple[float | None, int | None]:
    """Return the sparsity of kernels, and how many values are in them.

    Args:
        arrays: The values.
        sizes: How many values each has, where zeros are not stored.
    """
    size = sum(each.size for each in arrays) if sizes is None else sum(sizes)
    if not size:
        return None, None
    stored = np.concatenate([each.ravel() for each in arrays])
    return value_counts.sparsity(stored, size), value_counts.distinct(stored, size)


def _ways(trail) -> Iterator[tuple[Trail, tuple[Any, ...]]]:
    """Yield the way to each unit and the layers in it."""
    if isinstance(trail[-1], keras.layers.InputLayer):
        return
    if not _is_opened(trail[-1]):
        inside = {id(each[-1]): each[-1] for each in trails(trail[-1])}
        yield trail, tuple(inside.values())
        return
    yield trail, (trail[-1],)
    for child in children(trail[-1]):
        if child not in trail:
            yield from _ways((*trail, child))


def _is_opened(layer):
    if isinstance(layer, keras.Model):
        return True
    closed = isinstance(layer, keras.layers.Wrapper)
    closed = closed or type(layer).__module__.startswith("keras.")
    return not closed and bool(children(layer))


def _wrapped_name(layer):
    wraps = isinstance(layer, keras.layers.Wrapper)
    return layer.layer.name if wraps else layer.name
