"""Wrong arguments and inputs of audio, text and tables fail in clear words."""

import functools
import re
import warnings

import numpy as np
import pytest
import tensorflow as tf

from perfkit import augment
from tests.array_cases import ARRAY_CASES, build
from tests.conformance.common import run_uncompiled
from tests.test_augment_errors import NAN, NO_BOOLEANS, NO_NUMBERS, arguments_of, name

ROWS = dict(ARRAY_CASES[:17])
NO_FRACTIONS = [*NO_NUMBERS, None, 1.1]
NO_WHOLE = [1.5, "1", None, True, -1]
# Values that are wrong for every operation with an argument of the name.
WRONG = {
    "alpha": [0.0, -1.0, "0.1", (0.1, 0.2), NAN, None, True],
    "classes": [1, 0, -3, 2.0, "3", True],
    "decibels": [*NO_NUMBERS, None, 101],
    "factor": [*NO_NUMBERS, None],
    "fill_mode": ["edge", 1, None],
    "fill_value": ["0", None, NAN, float("inf"), (0, 0)],
    "fraction": NO_FRACTIONS,
    "mask_id": NO_WHOLE,
    "masks": [*NO_WHOLE, 0],
    "max_fraction": [*NO_WHOLE[1:], 1.1, NAN, (0.1, 0.2)],
    "max_length": [*NO_WHOLE, 0, 1, 1000],
    "mean_length": ["1", None, True, NAN, 0.5, 1.0, 5.5, 20.0],
    "pad_id": NO_WHOLE,
    "rate": ["0.1", (0.1, 0.2), -0.1, 1.1, NAN, None, True],
    "scale": ["1", [NAN], [], True, -1.0, [1.0, -1.0], float("inf")],
    "seed": [-1, 1.5, "1", True, NAN, 2**32],
    "slope": [*NO_NUMBERS, None, 13],
    "snr": [*NO_NUMBERS, None, 101],
    "special_ids": [5, None, "12", [1.5], [-1], [True], {"a": 1}],
    "speed": [*NO_NUMBERS, None, 0.0, -1.0, (0.0, 1.0)],
    "time_first": NO_BOOLEANS,
    "vocabulary": [0, -1, 1.5, "9", None, True, (5, 4), (1, 2, 3), 2**30],
    "width": [*NO_WHOLE, 0],
}


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch):
    run_uncompiled(monkeypatch)


@pytest.mark.parametrize("op", ROWS, ids=name)
def test_wrong_arguments_are_named(op):
    for argument in arguments_of(op):
        assert argument in WRONG, argument
        for value in WRONG[argument]:
            start = rf"^`{op.__name__}\({argument}=\.\.\.\)` must be .+\. Received: "
            end = re.escape(f"{argument}={value!r}")
            with pytest.raises((TypeError, ValueError), match=start + end):
                build(op, ROWS[op], **{argument: value})


@pytest.mark.parametrize("op", ROWS, ids=name)
def test_unknown_arguments_fail(op):
    with pytest.raises((TypeError, ValueError), match="probability"):
        build(op, ROWS[op], probability=0.5)


def test_a_vocabulary_of_special_ids_alone_is_refused():
    with pytest.raises(ValueError, match="must be ids that are not all special"):
        augment.TokenReplacement((1, 2), special_ids=[1, 2])


def zeros(*shape, dtype="float32"):
    return np.zeros(shape, dtype)


gain, masking, swap, noise = [
    functools.partial(op, name="my_layer")
    for op in (
        augment.RandomGain,
        augment.TimeMasking,
        augment.TokenSwap,
        functools.partial(augment.FeatureNoise, scale=1.0),
    )
]
IDS = zeros(4, 8, dtype="int32")
WRONG_INPUTS = {
    "rank of waveforms": (gain, zeros(4, 4, 4, 4), r"rank 1 .*shape=\(4, 4, 4, 4\)"),
    "rank of spectrograms": (masking, zeros(4), r"rank 2 \(one spectrogram\)"),
    "rank of ids": (swap, zeros(2, 2, 2, dtype="int32"), r"rank 1 \(one text\) or 2"),
    "rank of rows": (noise, zeros(2, 2, 2), r"rank 1 \(one row\) or 2"),
    "a waveform and channels": (gain, zeros(100, 2), r"\(100, 2\) are one waveform"),
    "a spectrogram and channels": (masking, zeros(9, 8, 1), "are one spectrogram"),
    "complex": (masking, zeros(4, 9, 8, dtype="complex64"), "dtype=complex64"),
    "text of floats": (swap, zeros(4, 8), "token_ids must be integers.*float32"),
    "text of strings": (swap, np.array([["a", "b"]]), "must be integers.*=str"),
    "no main key": (gain, {"labels": zeros(4)}, r"'waveforms'.*\['labels'\]"),
    "a mask of another size": (
        swap,
        {"token_ids": IDS, "attention_mask": zeros(4, 9, dtype="int32")},
        r"attention_mask beside these token_ids must have shape \(4, 8\)",
    ),
    "a mask of floats": (
        swap,
        {"token_ids": IDS, "attention_mask": zeros(4, 8)},
        "attention_mask must be integers.*float32",
    ),
    "relative lengths": (
        gain,
        {"waveforms": zeros(4, 9), "lengths": zeros(4)},
        "lengths must be integers.*float32",
    ),
    "lengths of fewer samples": (
        gain,
        {"waveforms": zeros(4, 9), "lengths": zeros(3, dtype="int32")},
        r"lengths .*\(4,\)\. Received: shape=\(3,\)",
    ),
}


@pytest.mark.parametrize(
    ("make", "inputs", "message"), WRONG_INPUTS.values(), ids=WRONG_INPUTS
)
def test_wrong_inputs_name_the_layer(make, inputs, message):
    with pytest.raises((TypeError, ValueError), match=f"^my_layer: .*{message}"):
        make()(inputs)


@pytest.mark.parametrize(
    ("make", "key"),
    [(gain, "waveforms"), (swap, "token_ids"), (noise, "features")],
    ids=["waveforms", "token_ids", "features"],
)
def test_ragged_tensors_name_the_layer(make, key):
    ragged = tf.ragged.constant([[1, 2, 3], [4]])
    with pytest.raises(TypeError, match=f"my_layer: '{key}' is a ragged tensor"):
        make()({key: ragged})


@pytest.mark.parametrize(
    ("op", "one"),
    [
        (augment.AudioMix, zeros(9)),
        (augment.FeatureCorruption, zeros(9)),
        (augment.AudioMixUp, {"waveforms": zeros(9), "labels": zeros(3)}),
        (augment.RowCutMix, {"features": zeros(9), "labels": zeros(3)}),
    ],
)
def test_what_mixes_wants_a_batch(op, one):
    layer = op(name="my_layer")
    for made in (layer, augment.Pipeline([layer])):
        with pytest.raises(ValueError, match=r"mixes the samples.*batch the data"):
            made(one)


@pytest.mark.parametrize("op", [augment.RowMixUp, augment.RowCutMix], ids=name)
def test_mixing_names_what_it_lacks(op):
    layer = op(name="my_layer")
    with pytest.raises(
        ValueError, match="my_layer: mixing features needs their 'labels"
    ):
        layer(zeros(4, 3))
    with pytest.raises(ValueError, match=r"integer labels .*RowC?[a-zA-Z]*\(classes="):
        layer({"features": zeros(4, 3), "labels": zeros(4, dtype="int32")})
    with pytest.raises(ValueError, match="labels are out of range"):
        op(classes=3)({"features": zeros(2, 3), "labels": np.array([0, 3])})
    with pytest.raises(ValueError, match=r"labels .*\(4,\)\. Received: shape=\(3,\)"):
        layer({"features": zeros(4, 3), "labels": zeros(3)})


@pytest.mark.parametrize(
    ("make", "key", "right"),
    [
        (swap, "input_ids", "token_ids"),
        (swap, "padding_mask", "attention_mask"),
        (gain, "length", "lengths"),
    ],
)
def test_a_key_of_another_library_is_pointed_out(make, key, right):
    main = {"token_ids": IDS} if make is swap else {"waveforms": zeros(4, 9)}
    with pytest.warns(UserWarning, match=f"'{key}' passes by untouched.*'{right}'"):
        make()({**main, key: zeros(4)})


def test_layers_of_one_kind_and_order_go_together():
    with pytest.raises(ValueError, match="layers for one kind of data"):
        augment.Pipeline([augment.RandomGain(), augment.TimeMasking()])
    with pytest.raises(ValueError, match="layers for one order of axes"):
        augment.Pipeline([augment.TimeMasking(), augment.TimeStretch(time_first=False)])
    with pytest.raises(ValueError, match=r"data_format.*must be left out"):
        augment.Pipeline([augment.RandomGain()], data_format="channels_last")
    augment.Pipeline([augment.TimeMasking(), augment.TimeStretch()])


def test_layers_say_what_to_do_about_many_shapes(monkeypatch):
    monkeypatch.setattr("perfkit.augment.programs._MANY", 1)
    layer = augment.TokenSwap()
    layer(IDS)
    with pytest.warns(UserWarning, match="Pad or bucket the texts"):
        layer(IDS[:, :5])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(IDS)
