"""Blur where a model that is already built skips places."""

import collections
import math
from typing import Any

import keras

from perfkit import _check
from perfkit.graph import insertion, selection
from perfkit.graph.rebuilding import copy_values, like
from perfkit.layers import BlurPool
from perfkit.surgery import _activations, _making, _strides
from perfkit.surgery._operating import Operating, beside
from perfkit.surgery.changed import Change, Changed

_OWNER = "blur_pool"


def blur_pool(model, *, where=None, size=3) -> tuple[keras.Model, Changed]:
    """Blur where a built model skips places; return a new model, else the same.

    A strided convolution goes place by place, and a `BlurPool` with its strides lies
    behind the activation that follows it, or else right behind it. A maximum goes place
    by place, and is blurred right behind. A convolution of one place, as in shortcuts,
    is blurred in front. All weights are kept, and all sizes, and what is kept of the
    places lies where it did, if the sizes are known. Predictions change somewhat: a
    trained model has to be trained on. What goes place by place costs as many times
    more as places were skipped. The new model shares nothing with the old one; models
    nested in it are rewritten, too.

    Args:
        model: A built Functional or Sequential `keras.Model` of images, which stays as
            it is.
        where: Which layers, `Conv2D`, `DepthwiseConv2D`, `SeparableConv2D` and
            `MaxPooling2D` with strides: a name pattern, a layer or model, a class, a
            function of a layer, or a list of these. None for all that see more than one
            place; those of a single place have to be selected.
        size: Places that the filter spans along rows and columns. Within [2, 7].

    Returns:
        The new model, to be compiled, and a `Changed`.

    Raises:
        ValueError: If the model is subclassed or not built, an argument is out of
            bounds, or there is no such layer.
        TypeError: If an argument has the wrong type.

    Example:
        >>> conv = keras.layers.Conv2D(4, 3, 2, padding="same", name="conv")
        >>> relu = keras.layers.ReLU(name="relu")
        >>> model = keras.Sequential([keras.Input((8, 8, 3)), conv, relu])
        >>> new, changed = blur_pool(model)
        >>> [layer.name for layer in new.layers[1:]]
        ['conv', 'conv_crop', 'relu', 'conv_blur']
        >>> print(changed)
        1 change in a new model with other predictions and +0 parameters; compile it
        before `fit`
          BlurPool for strides of 2 at conv

    Reference: Zhang, Making Convolutional Networks Shift-Invariant Again, 2019, arXiv
        1904.11486. There the places that are kept may be others by one.
    """
    _check.integer(_OWNER, "size", size, 2, 7)
    operating = Operating(_OWNER, model)
    if any(isinstance(choice, slice) for choice in selection.choices(where)):
        expected = "no slice of the depth, which maxima do not have"
        _check.fail(_OWNER, "where", expected, where)
    kind = "the convolutions and maxima of images with strides"
    calls = {id(call): call.operation for _, _, call in operating.graph.trails()}
    times = collections.Counter(map(id, calls.values()))
    for trail, inner, call in insertion.chosen(
        _OWNER, operating.graph, where, _selects, kind
    ):
        layer, path = call.operation, insertion.path_of(trail)
        why = _reason(layer, where, times[id(layer)])
        if why:
            operating.skipped[path] = why
        else:
            _blur(operating, path, inner, call, size)
    return operating.finish("where", where)


def _selects(choice, trail) -> bool:
    if not _strides.is_strided(trail[-1]):
        return False
    return choice is None or selection.selects(choice, trail, None)


def _reason(layer, where, times) -> str | None:
    """Why a layer with strides is left as it is."""
    if max(_strides.window(layer)) == 1:
        if not _strides.is_convolution(layer):
            return "is no maximum, as it sees one place"
        if where is None:
            return "sees one place; select it to have it blurred in front"
    if len(set(layer.strides)) > 1:
        return f"has other strides along rows than along columns, {layer.strides}"
    return "is called more than once" if times > 1 else None


def _blur(operating, path, graph, call, size):
    layer = call.operation
    form, step = layer.data_format, layer.strides[0]
    blur: Any = BlurPool(
        size,
        step,
        data_format=form,
        name=operating.name(graph, f"{layer.name}_blur"),
        dtype=_making.policy(graph, call, call.outputs[0]),
    )
    steps = [like(layer, strides=1)]
    first = _strides.first_kept(layer, _strides.places(call.inputs[0].shape, form))
    if any(first):
        crop = keras.layers.Cropping2D(
            tuple((k, 0) for k in first),
            data_format=form,
            name=operating.name(graph, f"{layer.name}_crop"),
            dtype=blur.dtype_policy,
        )
        steps.append(crop)
    if max(_strides.window(layer)) == 1:
        operating.insert(blur, call, call.inputs[0], resizes=True)
    else:
        last = _activated(graph, call) if _strides.is_convolution(layer) else None
        if last is None:
            steps.append(blur)
        else:
            operating.insert(blur, last, resizes=True)
    operating.replace(layer, steps, lambda new, old: copy_values(new[0], old))
    what = f"strides of {step}"
    change = Change(path, beside(path, blur.name), what, "BlurPool", 0, identity=False)
    operating.report(lambda: change)


def _activated(graph, call):
    """The call of the activation behind a convolution, if nothing else takes it."""
    if _activations.activation_of(call.operation) is not None:
        return None  # it is inside
    first = call.operation.data_format == "channels_first"
    channels = call.outputs[0].shape[1 if first else -1]
    ends = set(map(id, graph.outputs))
    while True:
        consumers = graph.consumers(call)
        if len(consumers) != 1 or id(call.outputs[0]) in ends:
            return None
        (call,) = consumers
        if len(call.inputs) != 1 or not _goes_anywhere(call.operation, channels):
            return None
        found = _activations.activation_of(call.operation)
        if found is not None:
            return call if found.alone else None
        if not _activations.is_normalization(call.operation):
            return None


def _goes_anywhere(operation, channels) -> bool:
    """Whether it has no weights for each place, as `PReLU` has if it is not shared."""
    weights = operation.weights if isinstance(operation, keras.Layer) else ()
    return all(math.prod(weight.shape) in (1, channels) for weight in weights)
