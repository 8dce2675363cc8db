"""Which kernels are pruned, which cannot be, and why."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from perfkit import _backend, _check
from perfkit.compress.reparameterized import KernelTransform
from perfkit.compress.sparsity._paths import path_of
from perfkit.compress.sparsity.pattern import Pattern
from perfkit.graph import kernels as graph
from perfkit.graph import selection
from perfkit.graph.kernels import Kernel
from perfkit.graph.owners import owners
from perfkit.graph.trails import trails

_UNASKED = "left out unless `where` selects it"


def chosen(
    owner: str,
    model: Any,
    where: Any,
    *,
    strict: bool,
    pattern: Pattern | None = None,
    obstacle: Callable[[Kernel], str] = lambda _: "",
) -> tuple[list[Kernel], dict[str, str]]:
    """Return the kernels that `where` means, and the reasons why others are left out.

    Args:
        owner: Name of the caller, for errors.
        model: A built model.
        where: As in `perfkit.graph.selection`; None is all kernels but those of
            embeddings and of depthwise convolutions.
        strict: Whether a kernel or layer that was asked for and cannot be pruned is an
            error.
        pattern: What they are pruned by. Kernels that it does not fit are left out if
            nobody asked for them.
        obstacle: Function of a kernel: why else it cannot be pruned; empty if it can.

    Raises:
        ValueError: If nothing is left, or by `strict`. All that is wrong is named.
    """
    _check.instance(owner, "model", model, keras.Model)
    _check.built(owner, "model", model)
    _check.boolean(owner, "strict", strict)
    selection.check(owner, where)
    every, selected = (
        [dataclasses.replace(x, path=path_of(x.trail, x.variable)) for x in kernels]
        for kernels in graph.select(model, where)
    )
    left_out = _unasked(model, every) if where is None else {}
    selected = [kernel for kernel in selected if kernel.path not in left_out]
    wrong = {} if where is None else _without_kernels(owner, model, where, every)
    unfit = {} if pattern is None else _unfit(selected, pattern)
    if where is None and len(unfit) < len(selected):
        left_out |= unfit
        selected = [kernel for kernel in selected if kernel.path not in unfit]
    else:
        wrong |= unfit
    for kernel in selected:
        reason = _general_obstacle(kernel) or obstacle(kernel)
        if reason:
            wrong[kernel.path] = reason
    found = [kernel for kernel in selected if kernel.path not in wrong]
    if (wrong and strict) or not found:
        why = "; ".join(f"{path} ({reason})" for path, reason in wrong.items())
        expected = "a choice of kernels that can be pruned, unlike "
        expected += why or "any in this model"
        if found:
            expected += ". With `strict=False` the report names these, and the rest is"
            expected += " pruned"
        _check.fail(owner, "where", expected, where)
    for kernel in found:
        if not _backend.has_value(kernel.variable):
            expected = "one whose weights have values: `fit` broke off within a step, "
            expected += "and on JAX Keras loses them then. Make or load it anew"
            _check.fail(owner, "model", expected, model)
    return found, {**left_out, **wrong}


def _unasked(model, every):
    """Find what is not pruned without `where`, and why."""
    known = {id(kernel.variable) for kernel in every}
    found = {
        kernel.path: _UNASKED
        for kernel in every
        if "embeddings" in kernel.variable.name
        or graph.is_depthwise(kernel.trail[-1], kernel.variable.name)
    }
    for one in owners(model):
        if isinstance(one.layer, KernelTransform):
            continue
        for weight in one.weights:
            floats = keras.backend.is_float_dtype(weight.dtype) and weight.trainable
            if floats and len(weight.shape) > 1 and id(weight) not in known:
                found[path_of(one.trail, weight)] = (
                    "no kernel by its name; name the layer in `where`"
                )
    return found


def _unfit(kernels, pattern):
    reasons = {kernel.path: pattern.obstacle(kernel) for kernel in kernels}
    return {path: reason for path, reason in reasons.items() if reason}


def _without_kernels(owner, model, where, every):
    """Find layers that `where` names and that own nothing to prune."""
    found = {}
    for choice in selection.needed(where):
        if graph.select(model, choice)[1]:
            continue
        hits = [t for t in trails(model) if selection.selects(choice, t, None)]
        names = dict.fromkeys("/".join(layer.name for layer in t[1:]) for t in hits)
        if not any(names):
            paths = dict.fromkeys(kernel.path.rpartition("/")[0] for kernel in every)
            expected = "a choice from the layers that own a kernel: "
            expected += ", ".join(paths) or "none in this model"
            _check.fail(owner, "where", expected, choice)
        found.update(dict.fromkeys(filter(None, names), "owns no kernel"))
    return found


def _general_obstacle(kernel):
    layer, variable = kernel.trail[-1], kernel.variable
    adapter = variable.name.startswith("lora_")
    if adapter or getattr(layer, variable.name, variable) is not variable:
        return "the layer multiplies by something else, such as an adapter; merge it"
    return ""
