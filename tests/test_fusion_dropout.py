"""Modalities left out of samples."""

import keras
import numpy as np
import pytest

from perfkit import fusion
from tests import fusion_cases as cases


def ones(count, batch=4096):
    return [np.ones((batch, 2), "float32") for _ in range(count)]


@pytest.mark.parametrize(("rate", "count"), [(0.5, 2), (0.3, 3), (0.9, 3)])
def test_each_is_left_out_at_the_rate_but_never_all(rate, count):
    parts, present = fusion.ModalityDropout(rate, seed=1)(ones(count), training=True)
    table = cases.arrays(present)[0]
    assert table.any(axis=1).all()
    # One of them stays, each as likely, where all were to go.
    share = 1.0 - rate + rate**count / count
    error = np.sqrt(share * (1 - share) / len(table))
    np.testing.assert_allclose(table.mean(axis=0), share, atol=4 * error)
    kept = np.stack([cases.arrays(x)[0][:, 0] for x in parts], axis=1)
    np.testing.assert_array_equal(kept, table.astype("float32"))


def test_samples_differ_and_so_do_calls_and_a_seed_repeats_them():
    first = fusion.ModalityDropout(0.5, seed=1)
    tables = [cases.arrays(first(ones(2), training=True)[1])[0] for _ in "ab"]
    assert len(np.unique(tables[0], axis=0)) == 3
    assert (tables[0] != tables[1]).any()
    again = fusion.ModalityDropout(0.5, seed=1)
    np.testing.assert_array_equal(
        cases.arrays(again(ones(2), training=True)[1])[0], tables[0]
    )


def test_what_is_absent_stays_so_and_one_that_is_present_stays():
    present = cases.presence(3, batch=1000)
    layer = fusion.ModalityDropout(0.8, seed=1)
    table = cases.arrays(layer(ones(3, 1000), present=present, training=True)[1])[0]
    assert not (table & ~present).any()
    np.testing.assert_array_equal(table.any(axis=1), present.any(axis=1))
    assert (table[present.sum(axis=1) == 1] == present[present.sum(axis=1) == 1]).all()


def test_at_inference_only_what_is_absent_is_hidden():
    layer, present = fusion.ModalityDropout(0.5), cases.presence(2)
    parts = [np.full((5, 3), np.nan, "float32"), np.full((5, 2), 7, "int32")]
    parts[0][present[:, 0]] = 2.0
    found = cases.arrays(layer(parts, present=present))
    np.testing.assert_array_equal(found[0], 2.0 * present[:, :1].repeat(3, 1))
    # A whole number may be padding if it is 0.
    np.testing.assert_array_equal(found[1][:, 0], np.where(present[:, 1], 7, 1))
    np.testing.assert_array_equal(found[2], present)
    unasked = cases.arrays(layer(ones(2, 4)))
    np.testing.assert_array_equal(unasked[2], np.ones((4, 2), bool))
    np.testing.assert_array_equal(unasked[0], np.ones((4, 2)))


def test_dictionaries_stay_dictionaries_and_dtypes_are_foretold():
    layer = fusion.ModalityDropout(0.5, dtype="mixed_bfloat16")
    inputs = {"b": np.ones((2, 3), "float32"), "a": np.ones((2, 4), "int32")}
    parts, present = layer(inputs)
    symbols = {k: keras.Input(x.shape[1:], dtype=x.dtype) for k, x in inputs.items()}
    told, told_present = layer(symbols)
    for one, other in [(told_present, present), *((told[k], parts[k]) for k in "ab")]:
        kinds = [keras.backend.standardize_dtype(x.dtype) for x in (one, other)]
        assert kinds[0] == kinds[1]
        assert one.shape[1:] == other.shape[1:]
    shapes, table = layer.compute_output_shape({"b": (None, 3), "a": (None, 4)})
    assert shapes == {"a": (None, 4), "b": (None, 3)}
    assert table == (None, 2)
