"""What goes in, what comes out, and what passes by."""

import keras
import numpy as np

from perfkit.augment import MoveAugment
from tests.array_conformance.kinds import (
    KINDS,
    SPECIAL,
    borrows,
    for_kinds,
    full_inputs,
    is_alike,
    is_typical,
    main_of,
    parts,
    slow_unless,
    values_of,
)
from tests.conformance.common import assert_same, to_numpy

AUDIO = ("waveforms", "spectrograms")


def _dtype(x):
    return keras.backend.standardize_dtype(x.dtype)


@slow_unless(is_typical)
def check_single_equals_batch_of_one(make):
    layer = make()
    if borrows(layer):
        return
    inputs = full_inputs(layer)
    del inputs["labels"]
    batch = {key: x[:1] for key, x in inputs.items()}
    single = {key: x[0] for key, x in inputs.items()}
    out = {key: to_numpy(x)[0] for key, x in make()(batch).items()}
    assert_same(make()(single), out)


def check_array_equals_dict(make):
    layer = make()
    values = full_inputs(layer)[main_of(layer)]
    if layer.mixes:
        return
    out = to_numpy(make()(values))
    assert np.array_equal(out, values_of(make(), {main_of(layer): values}))


@for_kinds(*AUDIO)
def check_channels_are_any_or_none(make):
    layer = make()
    inputs = full_inputs(layer)
    del inputs["lengths"]
    main = main_of(layer)
    none = values_of(make(), inputs)
    one = values_of(make(), {**inputs, main: inputs[main][..., None]})
    assert is_alike(one, none[..., None])
    many = np.stack([inputs[main], -inputs[main]], axis=-1)
    out = values_of(make(), {**inputs, main: np.concatenate([many, many], axis=-1)})
    assert out.shape == (*none.shape, 4)
    assert not is_alike(out[..., 0], out[..., 1])


@for_kinds("spectrograms")
def check_bins_first_equals_transposed(make):
    inputs = full_inputs(make())
    turned = {**inputs, "spectrograms": inputs["spectrograms"].transpose(0, 2, 1)}
    out = values_of(make(time_first=False), turned)
    assert is_alike(out.transpose(0, 2, 1), values_of(make(), inputs))


@for_kinds(*AUDIO)
def check_padding_of_audio_stays(make):
    layer = make()
    inputs = full_inputs(layer)
    main = main_of(layer)
    out = layer(inputs)
    before, after = inputs["lengths"], to_numpy(out["lengths"])
    assert _dtype(out["lengths"]) == "int32"
    for k, end in enumerate(np.maximum(before, after)):
        assert np.array_equal(to_numpy(out[main])[k, end:], inputs[main][k, end:])
    assert not is_alike(to_numpy(out[main]), inputs[main])


@for_kinds(*AUDIO)
def check_padding_of_audio_is_not_looked_at(make):
    """What lies in it, be it NaN, changes nothing before it."""
    layer = make()
    inputs = full_inputs(layer)
    main = main_of(layer)
    other = {**inputs, main: inputs[main].copy()}
    for k, length in enumerate(inputs["lengths"]):
        other[main][k, length:] = np.nan
    ours, theirs = [make()(x) for x in (inputs, other)]
    for k, length in enumerate(inputs["lengths"]):
        first, second = [to_numpy(out[main])[k, :length] for out in (ours, theirs)]
        assert is_alike(first, second)


@for_kinds("token_ids")
def check_padding_and_special_tokens_stay(make):
    for _ in range(3):
        layer = make()
        inputs = full_inputs(layer)
        out = {key: to_numpy(x) for key, x in layer(inputs).items()}
        moves = any(isinstance(part, MoveAugment) for part in parts(layer))
        for k in range(4):
            before, after = [x["token_ids"][k] for x in (inputs, out)]
            masks = [x["attention_mask"][k] == 1 for x in (inputs, out)]
            special = [
                np.isin(ids, SPECIAL) & mask
                for ids, mask in zip((before, after), masks, strict=True)
            ]
            assert np.array_equal(before[special[0]], after[special[1]])
            assert (after[~masks[1]] == 0).all()
            if not moves:
                assert np.array_equal(*special)
                assert np.array_equal(*masks)
        assert out["token_ids"].dtype == inputs["token_ids"].dtype


@for_kinds("token_ids")
def check_labels_of_tokens_follow_them(make):
    """Of those that are still there: each id has its own label."""
    layer = make()
    out = {key: to_numpy(x) for key, x in layer(full_inputs(layer)).items()}
    ids, labels = out["token_ids"], out["token_labels"]
    real = out["attention_mask"] == 1
    given = KINDS["token_ids"]
    if not any(isinstance(part, MoveAugment) for part in parts(layer)):
        assert np.array_equal(labels, given["token_labels"])
        return
    assert (labels[~real] == -1).all()
    kept = real & (ids != 4)
    assert np.array_equal(labels[kept], ids[kept] % 7)


def check_labels_pass_untouched(make):
    layer = make()
    if layer.mixes:
        return
    for labels in (np.full((4,), 40001, "int64"), np.array(["a", "b", "c", "d"])):
        inputs = full_inputs(layer, labels=labels)
        inputs["labels"] = labels
        assert layer(inputs)["labels"] is labels


def check_labels_are_mixed_where_samples_are(make):
    layer = make()
    if not layer.mixes:
        return
    labels = to_numpy(layer(full_inputs(layer))["labels"])
    assert labels.shape == (4, 3)
    assert np.allclose(labels.sum(axis=1), 1.0, atol=1e-5)
    assert ((labels > 1e-4) & (labels < 1 - 1e-4)).any()
    at_rest = to_numpy(layer(full_inputs(layer), training=False)["labels"])
    assert np.array_equal(at_rest, np.eye(3)[full_inputs(layer)["labels"]])


def check_unknown_keys_pass_untouched(make):
    layer = make()
    weight, file = np.full((4,), 40001, "int64"), np.array(["a", "b", "c", "d"])
    out = layer({**full_inputs(layer), "sample_weight": weight, "meta": {"file": file}})
    assert out["sample_weight"] is weight
    assert out["meta"]["file"] is file


def check_inputs_are_not_mutated(make):
    layer = make()
    inputs, same = full_inputs(layer), full_inputs(layer)
    layer(inputs)
    assert list(inputs) == list(same)
    keras.tree.map_structure(np.testing.assert_array_equal, inputs, same)


def check_output_has_the_compute_dtype(make):
    """Ids keep their own."""
    whole = main_of(make()) == "token_ids"
    for policy, dtype in ((None, "float32"), ("mixed_bfloat16", "bfloat16")):
        layer = make(dtype=policy)
        out = layer(full_inputs(layer))
        assert _dtype(out[main_of(layer)]) == ("int32" if whole else dtype)
        for key in set(out) - {"labels", main_of(layer)}:
            assert _dtype(out[key]) == "int32"


@slow_unless(is_typical)
def check_input_dtypes_agree(make):
    layer = make()
    main = main_of(layer)
    inputs = full_inputs(layer)
    whole = main == "token_ids"
    inputs[main] = inputs[main].round()
    expected = values_of(
        make(),
        {**inputs, main: inputs[main].astype("float32")} if not whole else inputs,
    )
    for dtype in ("int16", "int64") if whole else ("int16", "float16", "float64"):
        others = {
            key: x.astype(dtype if key == main else "int64")
            for key, x in inputs.items()
        }
        assert is_alike(values_of(make(), others), expected)
