"""A model of preprocessing, backbone, head and activation."""

import inspect
import re
import warnings
from typing import Any

import keras

from perfkit import _check
from perfkit.transfer import heads
from perfkit.transfer.preprocessing import MODES, Preprocessing, known

_TO_CLASSES = ("softmax", "sigmoid")


def assembled(
    owner,
    backbone,
    units,
    *,
    head,
    activation,
    preprocessing,
    features,
    input_shape,
    verbose,
) -> keras.Model:
    """Return the model; the arguments are those of `classifier`."""
    _check.instance(owner, "backbone", backbone, keras.Model)
    task: Any = backbone
    if hasattr(backbone, "backbone") and hasattr(backbone, "preprocessor"):  # KerasHub
        backbone = backbone.backbone
    if not getattr(backbone, "inputs", None):
        expected = (
            "a built model with inputs; begin it with `keras.Input`, or wrap it: "
        )
        expected += "`inputs = keras.Input(...); keras.Model(inputs, backbone(inputs))`"
        _check.fail(owner, "backbone", expected, backbone)
    _check_ends_in_features(owner, backbone)
    layer, reason = _preprocessing(owner, preprocessing, task, backbone)
    inputs = _inputs(owner, backbone, input_shape)
    found = _chosen(owner, backbone(_prepared(layer, inputs)), features)
    if len(found.shape) < 2:
        _check.fail(
            owner, "backbone", "one with features (batch, ..., channels)", found
        )
    network = heads.made(owner, head, units, len(found.shape))
    mask = inputs.get("padding_mask") if isinstance(inputs, dict) else None
    if mask is not None and len(found.shape) > 2:
        if "mask" not in inspect.signature(network.call).parameters:
            expected = (
                "a layer whose `call` takes a `mask`, as the backbone's features "
            )
            expected += "are padded"
            _check.fail(owner, "head", expected, network)
        outputs = network(found, mask=keras.ops.cast(mask, "bool"))
    else:
        outputs = network(found)
    if tuple(outputs.shape) != (None, units):
        expected = f"a head of outputs (batch, {units})"
        _check.fail(owner, "head", f"{expected}, not {tuple(outputs.shape)}", head)
    if activation is not None:
        last = keras.layers.Activation(activation, dtype="float32", name="activation")
        outputs = last(outputs)
    if verbose and _is_pixels(backbone):
        kind = getattr(layer, "mode", layer.name)
        what = MODES.get(kind, f"pixels go through `{layer.name}`")
        print(f"{backbone.name}: {what} ({kind!r}; {reason})")
    return keras.Model(inputs, outputs, name=f"{backbone.name}_{owner}")


def _preprocessing(owner, preprocessing, task, backbone) -> tuple[Any, str]:
    if isinstance(preprocessing, keras.Layer):
        return preprocessing, "as given"
    _check.one_of(owner, "preprocessing", preprocessing, ("auto", *MODES))
    if preprocessing != "auto":
        return Preprocessing(preprocessing, name="preprocessing"), "as given"
    is_task = getattr(task, "preprocessor", None) is not None
    return known(owner, "backbone", task if is_task else backbone)


def _inputs(owner, backbone, input_shape) -> Any:
    """New inputs like those of the backbone."""

    def like(tensor):
        shape = tensor.shape[1:] if input_shape is None else tuple(input_shape)
        return keras.Input(shape, dtype=tensor.dtype, name=tensor.name)

    structure: Any = backbone.inputs[0]
    if not isinstance(backbone, keras.Sequential):
        structure = backbone.input
    many = len(keras.tree.flatten(structure)) > 1
    if input_shape is not None and many:
        expected = "None for a backbone of several inputs"
        _check.fail(owner, "input_shape", expected, input_shape)
    return keras.tree.map_structure(like, structure)


def _prepared(layer, inputs):
    if isinstance(layer, Preprocessing) and layer.mode == "none":
        return inputs
    return layer(inputs)


def _chosen(owner, outputs, features) -> Any:
    """The one of the outputs that the head gets."""
    if isinstance(outputs, keras.KerasTensor):
        if features is not None:
            _check.fail(
                owner, "features", "None for a backbone of one output", features
            )
        return outputs
    keys = list(outputs) if isinstance(outputs, dict) else list(range(len(outputs)))
    if features not in keys:
        expected = f"one of {keys}, the outputs of the backbone"
        _check.fail(owner, "features", expected, features)
    return outputs[features]


# What `keras.applications` call the layer of classes.
_CLASSES = re.compile("predictions|.*_head_dense")


def _check_ends_in_features(owner, backbone):
    last: Any = backbone.layers[-1]
    if isinstance(last, keras.Model):
        _check_ends_in_features(owner, last)
        return
    name = getattr(getattr(last, "activation", None), "__name__", "")
    if isinstance(last, keras.layers.Softmax) or name in _TO_CLASSES:
        outputs: Any = last.output
        if len(outputs.shape) > 2:
            return
        expected = (
            f"one that ends in features, not in classes (`{last.name}`): make it with "
            "`include_top=False`, or cut it, "
            "`keras.Model(backbone.input, backbone.get_layer(...).output)`"
        )
        _check.fail(owner, "backbone", expected, backbone.name)
    elif _CLASSES.fullmatch(last.name):
        warnings.warn(
            f"`{owner}`: {backbone.name} seems to end in classes, not in features "
            f"(`{last.name}`): make it with `include_top=False`.",
            stacklevel=4,
        )


def _is_pixels(backbone):
    tensors = keras.tree.flatten(backbone.inputs)
    return len(tensors) == 1 and len(tensors[0].shape) == 4
