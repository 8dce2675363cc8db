"""Put bottleneck adapters into a model that is already built."""

import keras

from perfkit import _check
from perfkit.graph import calls, insertion, kernels, selection
from perfkit.graph.insertion import Insertion
from perfkit.transfer.adapters import _choosing, _learning
from perfkit.transfer.adapters.adapted import Adapted
from perfkit.transfer.adapters.adapter import Adapter


def insert_adapters(
    model, where, reduction=16, *, train=None
) -> tuple[keras.Model, Adapted]:
    """Put an `Adapter` behind layers of a built model, and freeze the rest.

    Returns a new model, which at first computes the same. Its other layers, and so the
    weights, are those of `model`; `unload` gives back a model without adapters. For
    Transformers, place them behind the attention and behind the feed-forward part of
    each block, before the sum with its input.

    Args:
        model: A built Functional or Sequential `keras.Model`. Models nested in it are
            rewritten, too.
        where: Behind which layers that have weights; others, such as a `Dropout` or an
            `Add`, by their own whole name or path, or as layers. See
            `perfkit.regularizers.attach`.
        reduction: By how much an adapter is narrower than the features, which are on
            the last axis. At least 1.
        train: See `adapt`.

    Returns:
        The new model, to be compiled, and an `Adapted`, which says what learns.

    Raises:
        ValueError: If the model is subclassed or not built, an argument is out of
            bounds, or `where` or `train` selects nothing. Nothing is changed.
        TypeError: If an argument has the wrong type.

    Example:
        >>> dense = keras.layers.Dense(64, name="features")
        >>> head = keras.layers.Dense(2, name="head")
        >>> model = keras.Sequential([keras.Input((32,)), dense, head])
        >>> new, report = insert_adapters(model, "features", train="head")
        >>> [layer.name for layer in new.layers[1:]]
        ['features', 'features_adapter', 'head']
        >>> print(report)
        710 of 2,822 parameters learn, 25.2 %, where 2,242 did; compile the model before
        `fit`
          Adapter(4) at features
          all of head

    Reference: Houlsby et al., Parameter-Efficient Transfer Learning for NLP, 2019,
        arXiv 1902.00751.
    """
    _check.integer("insert_adapters", "reduction", reduction)
    graph = calls.read("insert_adapters", model, insertion.BY_HAND)
    numbers = kernels.numbers(model)

    def selects(choice, trail):
        layer = trail[-1]
        if not isinstance(layer, keras.Layer) or isinstance(layer, Adapter):
            return False
        number = numbers.get(id(layer))
        if selection.names_exactly(choice, trail, classes=False):
            return True
        if not layer.weights:
            return False
        return choice is None or selection.selects(choice, trail, number)

    kind = "the layers that have weights, or another one by its whole name"
    chosen = insertion.chosen("insert_adapters", graph, where, selects, kind)
    whole = _choosing.trained("insert_adapters", model, train)
    insertions, places, skipped = [], {}, {}
    taken = {id(inner): _names(inner) for inner in [graph, *graph.nested.values()]}
    for trail, inner, call in chosen:
        path = insertion.path_of(trail)
        why = _reason(inner, call, trail, whole)
        if why:
            skipped[path] = why
            continue
        tensor = call.outputs[0]
        name = _free(f"{trail[-1].name}_adapter", taken.setdefault(id(inner), set()))
        policy = keras.dtype_policies.get(trail[-1].dtype_policy.name)
        layer = Adapter(max(1, tensor.shape[-1] // reduction), name=name, dtype=policy)
        insertions.append(Insertion(layer, call))
        places[path] = f"Adapter({layer.units})"
    if not insertions:
        why = "; ".join(f"{path}: {why}" for path, why in skipped.items())
        expected = (
            f"a choice of layers that an adapter can follow, unlike these ({why})"
        )
        _check.fail("insert_adapters", "where", expected, where)
    before = _learning.size(model.trainable_weights)
    _learning.remember(model)
    new = insertion.inserted(graph, insertions)
    _learning.remember(new)
    apart = _choosing.weights_in(whole)
    return new, _choosing.settled(new, apart, places, whole, skipped, before)


def _reason(graph, call, trail, whole) -> str | None:
    """Why no adapter can follow a call."""
    if any(id(layer) in whole for layer in trail):
        return _choosing.WHOLE
    if any(isinstance(other.operation, Adapter) for other in graph.consumers(call)):
        return "has an adapter"
    if len(call.outputs) != 1:
        return "returns more than one tensor"
    output = call.outputs[0]
    if not keras.backend.is_float_dtype(output.dtype) or not output.shape[-1]:
        return "returns no features on a last axis of known size"
    return None


def _names(graph) -> set[str]:
    return {call.operation.name for call in graph.calls}


def _free(wanted, taken) -> str:
    name, number = wanted, 0
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name
