"""A model of several modalities."""

from typing import Any

import keras

from perfkit import _check
from perfkit.fusion.concat import Concat
from perfkit.fusion.fusion import Fusion
from perfkit.fusion.mean import Mean
from perfkit.fusion.modality_dropout import ModalityDropout
from perfkit.layers import AttentionPool

STAGES = ("early", "late", "middle")


def multimodal(
    encoders,
    *,
    fusion=None,
    head=None,
    stage="middle",
    body=None,
    modality_dropout=0.0,
    present=False,
    seed=None,
    name="multimodal",
) -> keras.Model:
    """Put encoders, a fusion and a head together to a model of named inputs.

    The stage says what is joined. `"early"`: all steps and places that the encoders
    return, as one sequence, which `body` then works on. `"middle"`: one vector of each
    modality. `"late"`: predictions, of a head for each modality. Sequences and feature
    maps become vectors by an `AttentionPool`, which begins as the average.

    What an absent modality holds never comes to its encoder, which gets zeros, or ones
    for whole numbers, in its place; batch normalization in it counts these.

    Args:
        encoders: Dictionary of built `keras.Model`, each of one input and one output:
            `(batch, channels)`, `(batch, steps, channels)` or
            `(batch, height, width, channels)`. Their order is that of `present`.
        fusion: A `Fusion`. By default `Concat`, along the steps if early; of
            predictions the `Mean`.
        head: Layer or model that makes predictions of the joined vector. If late, one
            that each modality gets a copy of, or a dictionary with one for each, or
            `None` where the encoders predict.
        stage: `"early"`, `"middle"` or `"late"`.
        body: Layer or model from sequence to sequence, if early.
        modality_dropout: Rate of `ModalityDropout`. Within [0, 1).
        present: Whether the model has an input `present`, a boolean
            `(batch, modalities)`, which says what each sample has. `complete` makes it.
        seed: Seed of `ModalityDropout`.
        name: Name of the model.

    Returns:
        The model. Its inputs are named as the encoders are in the dictionary.

    Raises:
        TypeError: If an encoder is no model, `fusion` no `Fusion`, or `head` no layer.
        ValueError: If an argument is out of bounds, or shapes do not fit.

    Example:
        >>> def encoder(*shape):
        ...     inputs = keras.Input(shape)
        ...     return keras.Model(inputs, keras.layers.Dense(4)(inputs))
        >>> model = multimodal(
        ...     {"image": encoder(8, 8, 3), "text": encoder(5, 7)},
        ...     head=keras.layers.Dense(2),
        ...     present=True,
        ... )
        >>> {x.name: x.shape for x in model.inputs}
        {'image': (None, 8, 8, 3), 'text': (None, 5, 7), 'present': (None, 2)}
        >>> model.output_shape
        (None, 2)

    Reference: Baltrušaitis et al., Multimodal Machine Learning: A Survey and Taxonomy,
        2017, arXiv 1705.09406, for early, late and hybrid fusion.
    """
    owner = "multimodal"
    stage = _check.one_of(owner, "stage", stage, STAGES)
    _require_encoders(owner, encoders)
    if fusion is None:
        fusion = {"early": Concat(axis=1), "middle": Concat(), "late": Mean()}[stage]
    _check.instance(owner, "fusion", fusion, Fusion)
    if body is not None and stage != "early":
        _check.fail(owner, "body", "None unless `stage` is 'early'", body)
    rate = _check.below_one(owner, "modality_dropout", modality_dropout)

    inputs: list[Any] = [
        keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name=key)
        for key, model in encoders.items()
    ]
    parts, seen = inputs, None
    if _check.boolean(owner, "present", present):
        seen = keras.Input((len(encoders),), dtype="bool", name="present")
        inputs = [*inputs, seen]
        # Nothing is left out at random before the encoders, whose batch normalization
        # would see it.
        parts, seen = ModalityDropout(0.0, name="hide_absent")(parts, present=seen)
    encoded = [m(x) for m, x in zip(encoders.values(), parts, strict=True)]
    if rate > 0.0:
        encoded, seen = ModalityDropout(rate, seed=seed)(encoded, present=seen)
    if stage == "early":
        outputs = _early(encoded, seen, fusion, body)
    else:
        outputs = [_vector(x) for x in encoded]
        if stage == "late":
            outputs = _predicted(owner, outputs, head, encoders)
        outputs = fusion(outputs, present=seen)
    if stage != "late" and head is not None:
        outputs = _layer(owner, "head", head)(_vector(outputs))
    return keras.Model(inputs, outputs, name=name)


def _require_encoders(owner, encoders):
    if not isinstance(encoders, dict) or len(encoders) < 2 or "present" in encoders:
        expected = "a dictionary of at least two models, none of them named 'present'"
        _check.fail(owner, "encoders", expected, encoders)
    for key, model in encoders.items():
        _check.instance(owner, f"encoders[{key!r}]", model, keras.Model)
        _check.built(owner, f"encoders[{key!r}]", model)
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            expected = "a model of one input and one output"
            _check.fail(owner, f"encoders[{key!r}]", expected, model)
        if model.name in {*encoders, "present"}:
            expected = f"of another name than an input, and not {model.name!r}"
            _check.fail(owner, f"encoders[{key!r}]", expected, model)


def _early(encoded, seen, fusion, body):
    sequences = [
        x if len(x.shape) < 4 else keras.layers.Reshape((-1, x.shape[-1]))(x)
        for x in encoded
    ]
    joined = fusion(sequences, present=seen)
    if isinstance(fusion, Concat) and len(joined.shape) == 3:
        joined = keras.layers.Masking()(joined)  # steps of what is absent are zeros
    return joined if body is None else _layer("multimodal", "body", body)(joined)


def _vector(x):
    if len(x.shape) == 2:
        return x
    return AttentionPool(data_format="channels_last")(x)


def _predicted(owner, vectors, head, encoders):
    if head is None:
        return vectors
    if isinstance(head, dict):
        if set(head) != set(encoders):
            _check.fail(owner, "head", f"a dictionary of {sorted(encoders)}", head)
        heads = [_layer(owner, f"head[{key!r}]", head[key]) for key in encoders]
    else:
        config = keras.saving.serialize_keras_object(_layer(owner, "head", head))
        heads = []
        for key in encoders:
            copy = keras.saving.deserialize_keras_object(config)
            copy.name = f"{head.name}_{key}"
            heads.append(copy)
    return [layer(x) for layer, x in zip(heads, vectors, strict=True)]


def _layer(owner, name, layer):
    return _check.instance(owner, name, layer, keras.Layer)
