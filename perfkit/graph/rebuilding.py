"""A model made once more, of new layers that share no weights with the old ones."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from perfkit.graph import adapted
from perfkit.graph.arrays import array
from perfkit.graph.calls import Graph


def like(layer, **changes) -> Any:
    """Return a new layer like one that is there, which is not built.

    Args:
        layer: A layer.
        **changes: Arguments that are to be different.
    """
    config = {**layer.get_config(), **changes}
    if type(layer) is keras.layers.Lambda:
        return _with_functions_of(layer, config)
    if type(layer).__module__.startswith("keras."):
        # In a config a function has but a name, which another may have.
        config |= {
            name: getattr(layer, name)
            for name in ("activation", "recurrent_activation")
            if name in config
            and name not in changes
            and inspect.isfunction(getattr(layer, name, None))
        }
    return type(layer).from_config(config)


def _with_functions_of(layer, config) -> keras.layers.Lambda:
    """A layer with the same functions, which a config holds only names or code of."""
    config |= {"function": layer.function, "arguments": layer.arguments}
    if callable(layer.mask):
        config["mask"] = layer.mask
    if isinstance(config.get("output_shape"), dict):
        config["output_shape"] = layer.compute_output_shape
    return keras.layers.Lambda(**config)


def copy_values(new, old, cut: Callable[[int, Any], Any] = lambda _, x: x) -> None:
    """Copy the values of a layer to another, and which of its weights are trainable.

    What it adapted to goes along.

    Args:
        new: A built layer.
        old: A layer of the same kind.
        cut: Function of the number of a weight and its old value, that returns the new
            value.
    """
    pairs = zip(new.variables, old.variables, strict=True)
    for number, (variable, value) in enumerate(pairs):
        variable.assign(cut(number, array(value)))
        copy_state(variable, value, lambda x, number=number: cut(number, x))
    adapted.carry(new, old)


def copy_state(variable, old, cut: Callable[[Any], Any] = lambda x: x) -> None:
    """Make a variable trainable like another one, and keep its zeros as masks do.

    Args:
        variable: A variable whose value is set already.
        old: The variable of the old model that it stands for.
        cut: Function of an array of the old shape that returns one of the new shape.
    """
    if variable.trainable != old.trainable:
        variable.trainable = old.trainable
    carry = getattr(old.constraint, "carry_to", None)
    if carry is not None:
        carry(variable, cut)


def rebuilt(
    graph: Graph,
    make_layer: Callable[[Any], Any] = like,
    fill: Callable[[Any, Any], None] = copy_values,
    *,
    make_call: Callable | None = None,
    shape_of: Callable[[Any], tuple] = lambda tensor: tuple(tensor.shape),
) -> keras.Model:
    """Return a new model, with a new layer in place of each one.

    Nested models are made anew too, each once. A Sequential model stays Sequential,
    unless `make_call` is given.

    Args:
        graph: What `calls.read` returned.
        make_layer: Function of a layer. It returns a new layer, which is not built; or
            a list of layers that are called one after the other in its place; or None
            to leave the layer out, which must have one input and one output.
        fill: Function `(new, old)` that sets the weights of what `make_layer` returned,
            which is built by now. It is not called for None.
        make_call: Function `(graph, call, operation, *arguments, **named) -> outputs`
            that makes a call. Without it, that is `operation(*arguments, **named)`.
        shape_of: Function of an input of the old model that returns the shape of the
            new one.
    """
    made: list[tuple[Any, Any]] = []

    def make(layer):
        new = make_layer(layer)
        if new is not None:
            made.append((new, layer))
        return new

    copy = _rebuilt(graph, make, make_call, shape_of, {})
    for new, old in made:
        fill(new, old)
    return copy


def _rebuilt(graph, make_layer, make_call, shape_of, known):
    def new(layer):
        if not isinstance(layer, keras.Layer):
            return layer
        if id(layer) not in known:
            inner = graph.nested.get(id(layer))
            if inner is None:
                made = make_layer(layer)
                made = _InARow(made) if isinstance(made, list) else made
                known[id(layer)] = _LeftOut() if made is None else made
            else:
                rest = make_layer, make_call, shape_of, known
                known[id(layer)] = _rebuilt(inner, *rest)
        return known[id(layer)]

    model = graph.model
    inputs = new_inputs(graph, shape_of)
    if isinstance(model, keras.Sequential) and make_call is None:
        (first,) = inputs
        layers = [step for layer in model.layers for step in _steps(new(layer))]
        copy = keras.Sequential([first, *layers], name=model.name)
    else:
        numbers = iter(graph.calls)

        def call(operation, *arguments, **named):
            made = next(numbers)
            if isinstance(operation, _LeftOut):
                return one_tensor(arguments, named)
            if make_call is None:
                return operation(*arguments, **named)
            return make_call(graph, made, operation, *arguments, **named)

        structure = keras.tree.pack_sequence_as(graph.view.input, inputs)
        copy = keras.models.clone_model(
            graph.view,
            input_tensors=structure,
            clone_function=new,
            call_function=call,
        )
    if not model.trainable:
        copy.trainable = False
    return copy


def new_inputs(graph: Graph, shape_of=lambda tensor: tuple(tensor.shape)) -> list[Any]:
    """Return new inputs like those of a model, of the same names.

    Args:
        graph: The model.
        shape_of: Function of one of `graph.inputs`: the shape of the new one.
    """
    kind = keras.layers.InputLayer
    named = [layer for layer in graph.view.layers if isinstance(layer, kind)]
    names = {id(layer.output): layer.name for layer in named}
    return [
        keras.Input(batch_shape=shape_of(x), dtype=x.dtype, name=names.get(id(old)))
        for old, x in zip(graph.view.inputs, graph.inputs, strict=True)
    ]


def one_tensor(arguments, named) -> Any:
    """Return the only symbolic tensor among the arguments of a call."""
    leaves = keras.tree.flatten((arguments, named))
    (tensor,) = [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]
    return tensor


class _LeftOut(keras.layers.Layer):
    """Stand in for a layer that is left out."""


class _InARow(keras.layers.Layer):
    """Stand in for a layer by several that are called one after the other."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def __call__(self, *arguments, **named):
        first, *others = self.steps
        # Keras notes `mask=None` of a layer that takes it; the one here may not.
        taken = inspect.signature(first.call).parameters
        said = {k: x for k, x in named.items() if x is not None or k in taken}
        outputs = first(*arguments, **said)
        for step in others:
            outputs = step(outputs)
        return outputs


def _steps(layer) -> list[Any]:
    if isinstance(layer, _InARow):
        return list(layer.steps)
    return [] if isinstance(layer, _LeftOut) else [layer]
