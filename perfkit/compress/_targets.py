"""Which layers of a model get another kernel, and why others cannot."""

from collections.abc import Callable, Mapping
from typing import Any

from perfkit import _check
from perfkit.compress.reparameterized import Reparameterized
from perfkit.graph import kernels
from perfkit.graph.trails import names


def targets(
    owner, graph, where, reason: Callable[[Any], str | None]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return layers that are called in a model, and why others cannot be changed.

    Args:
        owner: Name of the caller, for errors.
        graph: The model: see `graph.calls`.
        where: Which layers are meant: see `graph.selection`.
        reason: Function of a layer: why its kernel cannot be changed, or None.

    Returns:
        Both by the paths of the layers.
    """
    called = {id(call.operation) for _, _, call in graph.trails()}
    chosen: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for kernel in kernels.chosen(owner, graph.model, where)[1]:
        *above, layer = kernel.trail
        path = "/".join(names(kernel.trail))
        if isinstance(above[-1], Reparameterized):
            path, layer = path.rpartition("/")[0], above[-1]
        if id(layer) not in called:
            inside = next((x for x in kernel.trail[1:] if id(x) in called), layer)
            why = f"inside {type(inside).__name__}"
        elif len(kernels.own_kernels(kernel.trail[-1])) > 1:
            why = f"{type(layer).__name__}, with several kernels"
        else:
            why = reason(layer)
        if why is None:
            chosen[path] = layer
        else:
            refused[path] = why
    return chosen, refused


def refuse(owner, name, refused: Mapping[str, str], kernels_are) -> None:
    """Raise the error that names layers, if there are some.

    Args:
        owner: Name of the caller.
        name: Name of the model.
        refused: Why a layer cannot be changed, by its path.
        kernels_are: What happens to kernels, for the error, such as "clustered".
    """
    if refused:
        expected = f"made of layers whose kernels can be {kernels_are}; not so: "
        expected += f"{said(refused)}. Leave them out by `where`, or with strict=False "
        _check.fail(owner, "model", expected + "as they are", name)


def said(refused: Mapping[str, str]) -> str:
    """Return paths and reasons as text, each reason once."""
    paths: dict[str, list[str]] = {}
    for path, why in refused.items():
        paths.setdefault(why, []).append(path)
    return ", ".join(f"{', '.join(some)} ({why})" for why, some in paths.items())
