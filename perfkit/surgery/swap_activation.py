"""Replace the activations of a model that is already built."""

import functools
from typing import Any

import keras

from perfkit import _check
from perfkit.graph import insertion, selection
from perfkit.graph.rebuilding import copy_values, like
from perfkit.surgery import _activations, _making
from perfkit.surgery._comparing import same
from perfkit.surgery._operating import Operating, beside, parameters
from perfkit.surgery.changed import Change, Changed

_OWNER = "swap_activation"


def swap_activation(model, old, new, *, where=None) -> tuple[keras.Model, Changed]:
    """Replace activations of a built model; return a new model, else the same.

    It finds layers such as `ReLU` and `Activation`, the `activation` of a layer with
    weights, and operations such as `keras.activations.relu(x)`. Those of recurrent
    layers, and of what is inside layers, stay. All weights are kept. The new model
    shares nothing with the old one; models nested in it are rewritten, too.

    Args:
        model: A built Functional or Sequential `keras.Model`, which stays as it is.
        old: Which activations: a name, such as `"relu"`, a function, a class of layers,
            such as `keras.layers.ReLU`, or a list of these. `"relu6"` is also a `ReLU`
            with a maximum of 6, as MobileNets have it.
        new: What comes in its place: a name, a function of a tensor, or a class of
            layers, such as `perfkit.layers.ThresholdedLinearUnit`, with arguments by
            `functools.partial`.
        where: Which layers: a name pattern, a layer or model, a class, a function of a
            layer, a slice of the depth from 0 to 1, or a list of these. None for all.

    Returns:
        The new model, to be compiled, and a `Changed`.

    Raises:
        ValueError: If the model is subclassed or not built, an argument is none of
            the above, or there is no such activation.
        TypeError: If an argument has the wrong type.

    Example:
        >>> dense = keras.layers.Dense(4, activation="relu", name="dense")
        >>> head = keras.layers.Dense(2, activation="softmax", name="head")
        >>> model = keras.Sequential([keras.Input((8,)), dense, head])
        >>> new, changed = swap_activation(model, "relu", "silu")
        >>> print(changed)
        1 change in a new model with other predictions and +0 parameters; compile it
        before `fit`
          silu for relu at dense

    Reference: none (standard).
    """
    function = _activations.new_activation(_OWNER, new)
    operating = Operating(_OWNER, model)
    trails = list(operating.graph.trails())
    found = {id(call): _activations.activation_of(t[-1]) for t, _, call in trails}
    there = [activation for activation in found.values() if activation]
    if not any(_activations.matches(_OWNER, one, old) for one in there):
        names = ", ".join(dict.fromkeys(one.name for one in there)) or "none"
        _check.fail(_OWNER, "old", f"among the activations in the model: {names}", old)

    def selects(choice, trail):
        activation = _activations.activation_of(trail[-1])
        if not activation or not _activations.matches(_OWNER, activation, old):
            return False
        number = operating.numbers.get(id(trail[-1]))
        return choice is None or selection.selects(choice, trail, number)

    kind = "the layers with such an activation"
    done = set()
    for trail, inner, call in insertion.chosen(
        _OWNER, operating.graph, where, selects, kind
    ):
        path, operation = insertion.path_of(trail), call.operation
        is_layer = isinstance(operation, keras.Layer)
        if is_layer and id(operation) in done:
            continue
        done.add(id(operation))
        before: Any = found[id(call)]
        if function is not None:
            _with_function(operating, path, inner, call, before, function)
        else:
            _with_layer(operating, path, inner, call, before, new)
    return operating.finish("where", where)


def _with_function(operating, path, graph, call, before, function):
    operation = call.operation
    if before.alone:
        layer = keras.layers.Activation(function, dtype=_policy(graph, call))
        _alone(operating, path, graph, call, before, layer, function.__name__)
        return
    changed = like(operation, activation=function)
    operating.replace(operation, [changed], lambda new, old: copy_values(new[0], old))
    text = _activations.name_of_new(function)
    operating.report(
        lambda: Change(
            path, path, before.name, text, 0, same(before.function, function, (99, 9))
        )
    )


def _with_layer(operating, path, graph, call, before, make):
    operation = call.operation
    offered = {"data_format": _making.data_format(graph, call)}
    offered["dtype"] = _policy(graph, call)
    layer = _making.made(_OWNER, "new", make, offered)
    if before.alone:
        _alone(operating, path, graph, call, before, layer, type(layer).__name__)
        return
    if operation.get_config().get("activity_regularizer") is not None:
        operating.skipped[path] = "has an activity regularizer behind its activation"
        return
    layer.name = operating.name(graph, f"{operation.name}_activation")
    linear = _activations.without(operation)
    operating.replace(
        operation, [linear, layer], lambda new, old: copy_values(new[0], old)
    )
    _report(operating, beside(path, layer.name), path, call, before, layer, 0)


def _alone(operating, path, graph, call, before, layer, text):
    """Have a layer take the place of a whole one, or of an operation."""
    operation = call.operation
    if isinstance(operation, keras.Layer):
        layer.name = operation.name
        operating.replace(operation, [layer], lambda *_: None)
        gone = operation.count_params()
    else:
        layer.name = operating.name(graph, f"{operation.name}_activation")
        operating.replace_operation(call, layer)
        gone = 0
    _report(operating, beside(path, layer.name), path, call, before, layer, gone, text)


def _report(operating, new_path, path, call, before, layer, gone, text=None):
    shape = call.outputs[0].shape

    def make():
        more = parameters([layer]) - gone
        alike = same(
            functools.partial(before.function), lambda x: layer(x), (1, *shape[1:])
        )
        text_ = text or type(layer).__name__
        return Change(path, new_path, before.name, text_, more, alike)

    operating.report(make)


def _policy(graph, call) -> Any:
    return _making.policy(graph, call, call.outputs[0])
