"""Put attention into a model of images that is already built."""

import fnmatch
import re
from typing import Any

import keras

from perfkit import _check
from perfkit.graph import selection
from perfkit.graph.insertion import path_of
from perfkit.layers import FeatureAttention
from perfkit.surgery import _making, _places
from perfkit.surgery._operating import Operating, beside, parameters
from perfkit.surgery._places import Place
from perfkit.surgery.changed import Change, Changed

_OWNER = "insert_attention"


def insert_attention(
    model, layer, *, after=None, identity=True
) -> tuple[keras.Model, Changed]:
    """Put attention into a built model of images; return a new model, else the same.

    All weights are kept, and with `identity` predictions, too, until it is trained. The
    new model shares nothing with the old one; models nested in it are rewritten, too.

    Args:
        model: A built Functional or Sequential `keras.Model`, which stays as it is.
        layer: A class of layers, such as `perfkit.layers.SqueezeExcite`, with arguments
            by `functools.partial`, or a function that makes a layer. What it takes of
            `identity`, `data_format` and `dtype` is given.
        after: Behind which layers: a name pattern, a layer or nested model, a class, a
            function of a layer, a slice of the depth from 0 to 1, or a list of these,
            which stand for a nested model itself, not for what is in it. None for the
            ends of residual branches of images, before the sum and before what drops
            samples there; in a model without these, for what comes last of each stage,
            before strides, pooling or flattening make the places fewer: an activation,
            a normalization or a convolution, or what brings branches together.
        identity: Whether the new layers begin as the identity; see
            `perfkit.layers.FeatureAttention`.

    Returns:
        The new model, to be compiled, and a `Changed`.

    Raises:
        ValueError: If the model is subclassed or not built, an argument is none of
            the above, a layer cannot begin as the identity, or no place is left: where
            a branch or stage has attention already, and `after` is None, none is put.
        TypeError: If an argument has the wrong type.

    Example:
        >>> from perfkit.layers import SqueezeExcite
        >>> conv = keras.layers.Conv2D(32, 3, activation="relu", name="conv")
        >>> pool = keras.layers.GlobalAveragePooling2D()
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), conv, pool])
        >>> new, changed = insert_attention(model, SqueezeExcite)
        >>> [layer.name for layer in new.layers[1:3]]
        ['conv', 'conv_squeeze_excite']
        >>> print(changed)
        1 change in a new model with the same predictions and +194 parameters; compile
        it before `fit`
          SqueezeExcite at conv, +194 parameters

    Reference: Hu et al., Squeeze-and-Excitation Networks, 2017, arXiv 1709.01507, which
        has it at the ends of branches.
    """
    _check.boolean(_OWNER, "identity", identity)
    operating = Operating(_OWNER, model)
    for place in _chosen(operating, after):
        why = place.why or _occupied(place)
        if why:
            operating.skipped[place.path] = why
            continue
        call, features = place.call, place.features
        new: Any = _made(place, layer, identity)
        kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(new).__name__).lower()
        name = place.path.rpartition("/")[2]
        new.name = operating.name(place.graph, f"{name}_{kind}")
        if any(
            spec.ndim not in (None, len(features.shape)) for spec in _making.specs(new)
        ):
            many = len(features.shape)
            operating.skipped[place.path] = f"has {many} axes, which it does not take"
            continue
        operating.insert(new, call, place.tensor)
        operating.report(lambda place=place, new=new: _change(place, new))
    return operating.finish("after", after)


def _chosen(operating, after) -> list[Place]:
    graph, numbers = operating.graph, operating.numbers
    if after is None:
        found = _places.of_branches(graph, numbers)
        found = found or _places.of_stages(graph, numbers)
        if not found:
            expected = "given, as the model has neither residual branches nor stages "
            _check.fail(_OWNER, "after", f"{expected}of images", after)
        return found
    selection.check(_OWNER, after, "after")
    every = list(_places.every(graph))
    for choice in selection.needed(after):
        if not any(_selects(choice, trail, numbers) for trail, _, _ in every):
            there = ", ".join(path_of(trail) for trail, _, _ in every)
            expected = f"a choice from the layers of the model: {there}"
            _check.fail(_OWNER, "after", expected, choice)
    return [
        Place(path_of(trail), inner, call)
        for trail, inner, call in every
        if _selects(after, trail, numbers)
    ]


def _selects(choice, trail, numbers) -> bool:
    """Whether it means the last layer of a trail, not one that this one lies in."""
    if isinstance(choice, (list, tuple)):
        return any(_selects(one, trail, numbers) for one in choice)
    layer = trail[-1]
    if isinstance(choice, str):
        return any(
            fnmatch.fnmatchcase(name, choice) for name in (layer.name, path_of(trail))
        )
    return selection.selects(choice, (trail[0], layer), numbers.get(id(layer)))


def _occupied(place) -> str | None:
    """Why nothing can be put at a place that was selected."""
    if len(place.call.outputs) != 1:
        return "returns more than one tensor"
    if place.tensor is not None:
        return None
    for call in (place.call, *place.graph.consumers(place.call)):
        if isinstance(call.operation, FeatureAttention):
            return f"has {call.operation.name} already"
    return None


def _made(place, make, identity) -> Any:
    graph, call = place.graph, place.call
    offered = {
        "identity": identity,
        "data_format": _making.data_format(graph, call),
        "dtype": _making.policy(graph, call, place.features),
    }
    new = _making.made(_OWNER, "layer", make, offered)
    if identity and getattr(new, "identity", None) is not True:
        expected = f"False for {type(new).__name__}, which does not begin so"
        _check.fail(_OWNER, "identity", expected, identity)
    return new


def _change(place, new) -> Change:
    path = beside(place.path, new.name)
    begins = bool(getattr(new, "identity", False))
    kind = type(new).__name__
    return Change(place.path, path, None, kind, parameters([new]), identity=begins)
