"""A Keras 2 model that computes what a Keras 3 model does."""

import inspect
from typing import Any

import keras

from perfkit.compress import _tfmot
from perfkit.compress.tfmot import _layers, _operations, _pairing
from perfkit.graph.calls import Graph, read
from perfkit.graph.functional import is_graph


def to_tf_keras(model) -> Any:
    """Return a Keras 2 model that computes what a Keras 3 model does.

    tfmot works on such a model: `tf_keras` is Keras 2. Layers have the same names and
    weights, also those that are shared, called twice or in nested models. What is
    trainable stays trainable. Loss, metrics and optimizer are not taken over: compile
    the new model, the twin, with objects of `tf_keras`. A Sequential model becomes a
    Functional one.

    A layer, or a setting of one, that Keras 2 lacks or computes in another way is an
    error; it is never left out. Of the operations of `keras.ops`, arithmetic and slices
    have twins. Masks have none, since the two versions hand them on in different ways.

    Args:
        model: A built Functional or Sequential model in float32, on any backend.

    Returns:
        A `tf_keras.Model`, not compiled.

    Raises:
        TypeError: If it is no `keras.Model`.
        ValueError: If something in the model has no twin; the error names it.
        ImportError: If TensorFlow is not installed.
        RuntimeError: If the environment asks for Keras 2 as `tf.keras`.

    Example:
        >>> import numpy as np
        >>> from perfkit.compress import tfmot
        >>> dense = keras.layers.Dense(1, kernel_initializer="ones", name="dense")
        >>> model = keras.Sequential([keras.Input((2,)), dense])
        >>> twin = tfmot.to_tf_keras(model)
        >>> twin(np.array([[1.0, 2.0]])).numpy().tolist()
        [[3.0]]
        >>> pruned = tfmot.sparsity.keras.prune_low_magnitude(twin)
        >>> pruned.layers[-1].name
        'prune_low_magnitude_dense'

    Reference: none (standard).
    """
    twin = _model(read(_layers.OWNER, model), "", {})
    _copy_trainable(model, twin, model.trainable)
    for path, layer, made in _pairing.pairs(model, twin):
        if layer.weights:
            _copy_weights(path, layer, made)
    return twin


def _model(graph: Graph, above: str, known: dict[int, Any]) -> Any:
    """Return the twin of a model with weights of its own.

    Args:
        graph: The model.
        above: Names from the outermost model down to it.
        known: Twins that were made, by the ids of layers and models.
    """
    tf_keras = _tfmot.tf_keras()
    values = {
        id(ours): _input(given, graph, above)
        for ours, given in zip(graph.inputs, graph.view.inputs, strict=True)
    }
    inputs = [values[id(tensor)] for tensor in graph.inputs]

    def convert(layer, path):
        if id(layer) not in known:
            if is_graph(layer):
                inner = graph.nested.get(id(layer)) or read(_layers.OWNER, layer)
                known[id(layer)] = _model(inner, path, known)
            else:
                known[id(layer)] = _layers.twin_of(layer, path, convert)
        return known[id(layer)]

    for call in graph.calls:
        path = f"{above}/{call.operation.name}".strip("/")
        if isinstance(call.operation, keras.Layer):
            function = convert(call.operation, path)
        else:
            function = _operations.function(call.operation)
        if function is None:
            reason = "an operation of which the bridge knows no twin"
            _layers.refuse(path, call.operation, reason)
        values.update(_outputs(path, call, function, values))
    made = [values[id(tensor)] for tensor in graph.outputs]
    return tf_keras.Model(
        keras.tree.pack_sequence_as(graph.view.input, inputs),
        keras.tree.pack_sequence_as(graph.view.output, made),
        name=graph.model.name,
    )


def _input(tensor, graph, above):
    layers = graph.view.layers
    (layer,) = (x for x in layers if getattr(x, "output", None) is tensor)
    if tensor.sparse or tensor.ragged or getattr(layer, "optional", False):
        path = f"{above}/{layer.name}".strip("/")
        _layers.refuse(path, layer, "an input that is sparse, ragged or optional")
    return _tfmot.tf_keras().Input(
        batch_shape=tensor.shape, dtype=tensor.dtype, name=layer.name
    )


def _outputs(path, call, function, values) -> dict[int, Any]:
    """Make a call of the twin; return what it gave, by the ids of Keras 3's tensors."""

    def filled(leaf):
        if isinstance(leaf, keras.KerasTensor):
            return values[id(leaf)]
        if isinstance(leaf, keras.Variable):
            _layers.refuse(path, call.operation, "called on a variable of no layer")
        if keras.ops.is_tensor(leaf):
            return keras.ops.convert_to_numpy(leaf)
        return leaf

    arguments, named = _arguments(call)
    if named.get("mask") is not None:
        _layers.refuse(path, call.operation, f"called with a mask, {_layers.MASKS}")
    arguments = [keras.tree.map_structure(filled, one) for one in arguments]
    named = {key: keras.tree.map_structure(filled, one) for key, one in named.items()}
    try:
        outputs = keras.tree.flatten(function(*arguments, **named))
    except Exception as error:  # of many types
        text = " ".join(str(error).split())[:300]
        reason = f"which Keras 2 cannot call so: {type(error).__name__}: {text}"
        _layers.refuse(path, call.operation, reason)
    for expected, got in zip(call.outputs, outputs, strict=True):
        if not _fits(expected, got):
            reason = f"which makes {got.dtype.name} {got.shape} of Keras 2 there, "
            reason += f"and not {expected.dtype} {expected.shape}"
            _layers.refuse(path, call.operation, reason)
    ids = map(id, call.outputs)
    return dict(zip(ids, outputs, strict=True))


def _arguments(call) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return what a call was given, by name where Keras 2 has another order."""
    operation = call.operation
    if not isinstance(operation, keras.Layer) or is_graph(operation):
        return call.arguments, dict(call.named)
    names = list(inspect.signature(operation.call).parameters)[1:]
    given = zip(names, call.arguments[1:], strict=False)
    return call.arguments[:1], {**dict(given), **call.named}


def _fits(expected, got):
    if got.shape.rank != len(expected.shape) or got.dtype.name != expected.dtype:
        return False
    sizes = zip(expected.shape, got.shape, strict=True)
    return all(None in (ours, theirs) or ours == theirs for ours, theirs in sizes)


def _copy_trainable(layer, twin, trainable):
    twin.trainable = trainable  # of all inside too, which come next
    for inner, inner_twin in _pairing.inside(layer, twin):
        # In Keras 2 nothing learns inside what is frozen; in Keras 3 it may.
        held = _pairing.inside(inner, inner_twin)
        learns = inner.trainable or any(one.trainable_weights for one, _ in held)
        _copy_trainable(inner, inner_twin, learns)


def _copy_weights(path, layer, twin):
    for kind in ("weights", "trainable_weights"):
        ours = list(map(_pairing.short_name, getattr(layer, kind)))
        theirs = list(map(_pairing.short_name, getattr(twin, kind)))
        if ours != theirs:
            reason = f"a layer with other {kind} in Keras 2: {theirs} and not {ours}"
            _layers.refuse(path, layer, reason)
    twin.set_weights([keras.ops.convert_to_numpy(w) for w in layer.weights])
