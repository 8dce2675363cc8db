"""Cut a model in two behind one of its layers."""

from typing import Any

import keras

from perfkit import _check
from perfkit.graph import calls
from perfkit.graph.ways import way_to
from perfkit.transfer._poolings import POOLINGS

_OWNER = "split_model"


@keras.saving.register_keras_serializable(package="perfkit")
class Part(keras.Model):
    """Be a Functional model that takes the mask of its inputs, and gives none on.

    Keras's own warns of a mask that it gets, though its layers see it.
    """

    def __init__(self, inputs, outputs, name=None, **kwargs):
        super().__init__(inputs, outputs, name=name, **kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs, previous_mask):  # noqa: ARG002
        return None


def split_model(model, at=None) -> tuple[keras.Model, keras.Model]:
    """Cut a built model in two behind a layer: its body and its head.

    `head(body(x))` is `model(x)`. The layers, and so the weights, are those of `model`,
    which stays as it is: training the head trains the head of the model. Each is a
    plain Functional model, to be compiled for itself.

    Args:
        model: A built Functional or Sequential `keras.Model`.
        at: The last layer of the body: the layer, a nested model too, or its name, or
            its path from the model down, such as `"backbone/pool"`. None for the last
            global pooling or nested model behind which there are weights. All that
            is behind it in the graph may depend on it alone.

    Returns:
        The body, from the inputs of the model to what the layer returns, and the head,
        from there to the outputs of the model. They are named after the model.

    Raises:
        ValueError: If the model is subclassed or not built, if `at` is not one layer
            in it that is called once, if nothing is behind it, or if a connection leads
            around it.
        TypeError: If an argument has the wrong type.

    Example:
        >>> model = keras.Sequential(
        ...     [keras.Input((2,)), keras.layers.Dense(3, name="features")]
        ...     + [keras.layers.Dense(1, name="scores")],
        ...     name="net",
        ... )
        >>> body, head = split_model(model, "features")
        >>> [layer.name for layer in head.layers[1:]], head.input_shape
        (['scores'], (None, 3))
        >>> head.trainable_variables[0] is model.layers[1].kernel
        True

    Reference: none (standard).
    """
    graph = calls.read(_OWNER, model)
    if at is not None:
        _check.instance(_OWNER, "at", at, (str, keras.Layer))
    way = _found(graph, at) if at is not None else [(graph, _usual(graph))]
    ends = _cut(way, at)
    parts = zip(("body", "head"), ends, strict=True)
    body, head = (keras.Model(*end, name=f"{model.name}_{part}") for part, end in parts)
    if set(map(id, body.weights)) & set(map(id, head.weights)):
        expected = "a layer behind which no layer is called that is in front of it, too"
        _check.fail(_OWNER, "at", expected, at)
    return body, head


def _found(graph, at) -> list[Any]:
    """The way to the call of a layer: a graph and a call in it at each level."""
    way = list(way_to(_OWNER, "at", graph, at))
    while len(way) > 1 and set(map(id, way[-1][0].outputs)) == {
        id(x) for x in way[-1][1].outputs
    }:
        way.pop()  # the last layer of a nested model: cut behind that model
    return way


def _usual(graph) -> Any:
    """The last pooling or nested model behind which there are weights."""
    found = []
    for call in graph.calls:
        if isinstance(call.operation, (*POOLINGS, keras.Model)):
            behind, around = _behind(graph, call)
            weights = [x for c in behind for x in getattr(c.operation, "weights", ())]
            found += [call] if weights and not around else []
    if not found:
        expected = "given: no global pooling or nested model divides the model in two"
        _check.fail(_OWNER, "at", expected, None)
    return found[-1]


def _behind(graph, call) -> tuple[list[Any], list[str]]:
    """The calls behind a call, and the names of what takes more than it returns."""
    before = set(map(id, graph.upstream(call.outputs)))
    behind = [c for c in graph.upstream(graph.outputs) if id(c) not in before]
    made = {id(x) for c in (call, *behind) for x in c.outputs}
    takers = [(c.operation.name, c.inputs) for c in behind]
    takers.append(("the outputs of the model", graph.outputs))
    return behind, [name for name, xs in takers if any(id(x) not in made for x in xs)]


def _cut(way, at) -> list[tuple[Any, Any]]:
    """Inputs and outputs of the body, and those of the head."""
    (graph, call), *inner = way
    behind, around = _behind(graph, call)
    if around:
        expected = f"a layer around which nothing leads to {', '.join(around)}"
        _check.fail(_OWNER, "at", expected, at)
    if not behind and not inner:
        _check.fail(_OWNER, "at", "a layer with others behind it", at)
    given = keras.tree.pack_sequence_as(graph.view.input, graph.inputs)
    seams = set(map(id, call.outputs))
    ends = [  # what a model is given, Keras cannot have it return as it is
        keras.layers.Identity()(x) if id(x) in seams else x for x in graph.outputs
    ]
    returned = keras.tree.pack_sequence_as(graph.view.output, ends)
    seam = call.outputs[0] if len(call.outputs) == 1 else list(call.outputs)
    if not inner:
        head = keras.Model(seam, returned)  # from tensors in its midst
        return [(given, seam), (head.input, head.output)]
    (start, middle), (onwards, end) = _cut(inner, at)
    kind = keras.Model if call.mask is None else Part
    first = kind(start, middle, name=f"{call.operation.name}_body")
    last = keras.Model(onwards, end, name=f"{call.operation.name}_head")
    given_on = [x for x in call.inputs if x is not call.mask]
    packed = keras.tree.pack_sequence_as(start, given_on)
    masked = {} if call.mask is None else {"mask": call.mask}
    if behind:
        rest = keras.Model(seam, returned, name=f"{graph.model.name}_rest")
        end = rest(last(onwards))
    return [(given, first(packed, **masked)), (onwards, end)]
