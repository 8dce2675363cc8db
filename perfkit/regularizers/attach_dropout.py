"""Put dropout into a model that is already built."""

from typing import Any

import keras

from perfkit.graph import calls, droppers, insertion, kernels, selection
from perfkit.regularizers import _inserting
from perfkit.regularizers._inserting import Site
from perfkit.regularizers.inserted import Inserted

_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
)
_DENSE = (keras.layers.Dense, keras.layers.EinsumDense)
_SPATIAL = {
    4: keras.layers.SpatialDropout2D,
    5: keras.layers.SpatialDropout3D,
}


def attach_dropout(
    model, rate, *, where=None, layer=None
) -> tuple[keras.Model, Inserted]:
    """Put dropout into a built model; return a new model with the same weights.

    Behind convolutions it drops whole channels (`SpatialDropout1D`, 2D or 3D), behind
    `Dense` single features. The layers, and so the weights, are those of `model`, which
    stays as it is; training one trains the other. At inference both give the same, bit
    for bit. Models nested in it are rewritten, too. The new model is a plain Functional
    one, which has to be compiled, with an optimizer of its own. Layers belong to both
    models, so their `output` is a tensor of `model`; to cut the new one at a layer,
    take a copy that was saved and loaded.

    A new layer is named after the one it follows, `conv_dropout` behind `conv`. Behind
    a layer that dropout follows already, none is put. Nor is one put where no more
    kernels follow: noise on the outputs of the model is not what dropout is for. Only
    giving that layer, or its whole name or path, has it put there.

    Args:
        model: A built Functional or Sequential `keras.Model`.
        rate: Share that is dropped. Within [0, 1). A pair is `(first, last)`, and what
            is between them changes in equal steps from place to place. A single place
            has the last.
        where: Which layers are followed; None for all convolutions, `Dense` and
            `EinsumDense`. See `attach` for what selects among those. Layers of other
            kinds, such as activations, have to be given themselves, or by their very
            class, or whole name or path.
        layer: What makes a new layer from its rate, such as
            `perfkit.layers.DropBlock2D`; None for the kind of dropout said above.

    Returns:
        The new model, and an `Inserted`, which says what was put where.

    Raises:
        ValueError: If the model is subclassed or not built, an argument is out of
            bounds, or no place for dropout is left.
        TypeError: If an argument has the wrong type.

    Example:
        >>> dense = keras.layers.Dense(4, name="a")
        >>> head = keras.layers.Dense(1, name="head")
        >>> model = keras.Sequential([keras.Input((8,)), dense, head])
        >>> dropping, report = attach_dropout(model, 0.3)
        >>> [layer.name for layer in dropping.layers[1:]]
        ['a', 'a_dropout', 'head']
        >>> print(report)
        1 layer in a new model; compile it before `fit`
          Dropout(0.3) at a
          not at head: no kernels follow

    Reference: Srivastava et al., Dropout, 2014, Journal of Machine Learning Research
        15; Tompson et al., Efficient Object Localization Using Convolutional Networks,
        2015, arXiv 1411.4280, for whole channels.
    """
    graph = calls.read("attach_dropout", model, insertion.BY_HAND)
    numbers = kernels.numbers(model)

    def selects(choice, trail):
        return _selected(choice, trail, numbers)

    kind = "the convolutions and `Dense`, or another layer by its whole name"
    chosen = insertion.chosen("attach_dropout", graph, where, selects, kind)
    last = _last(graph, numbers)
    sites, skipped = [], {}
    for trail, inner, call in chosen:
        path = insertion.path_of(trail)
        named = selection.names_exactly(where, trail, classes=False)
        before = droppers.already(
            inner.consumers(call), call.operation.name, droppers.drops
        )
        if before:
            skipped[path] = f"followed by {before}"
        elif len(call.outputs) != 1:
            skipped[path] = "returns more than one tensor"
        elif id(call) in last and not named:
            skipped[path] = "no kernels follow"
        else:
            usual = _usual(call)
            sites.append(Site(path, inner, call, call.outputs[0], True, usual))
    return _inserting.insert(
        "attach_dropout", graph, sites, skipped, rate, layer, where
    )


def _selected(where, trail, numbers) -> bool:
    if isinstance(trail[-1], (*_CONVOLUTIONS, *_DENSE)) and (
        where is None or selection.selects(where, trail, numbers.get(id(trail[-1])))
    ):
        return True
    return selection.names_exactly(where, trail)


def _last(graph, numbers) -> set[int]:
    """The ids of calls behind which no kernels follow on the way to an output."""
    found, made, left = set(), graph.producers(), list(graph.outputs)
    while left:
        call = made.get(id(left.pop()))
        if call is None or id(call) in found:
            continue
        found.add(id(call))
        nested = graph.nested.get(id(call.operation))
        if nested is not None:
            found |= _last(nested, numbers)
        inner = nested.trails() if nested else [((call.operation,), graph, call)]
        if not any(id(trail[-1]) in numbers for trail, _, _ in inner):
            left.extend(call.inputs)
    return found


def _usual(call) -> Any:
    """What makes dropout of the kind that suits what this call returns."""
    operation, rank = call.operation, len(call.outputs[0].shape)
    form = getattr(operation, "data_format", None)
    if rank in _SPATIAL and not isinstance(operation, _DENSE):
        return lambda rate: _SPATIAL[rank](rate, data_format=form)
    if rank == 3 and isinstance(operation, _CONVOLUTIONS):
        if form == "channels_first":  # `SpatialDropout1D` knows only the other
            return lambda rate: keras.layers.Dropout(rate, noise_shape=(None, None, 1))
        return keras.layers.SpatialDropout1D
    return keras.layers.Dropout
