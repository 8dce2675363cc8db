"""Operations on tokens, against NumPy, and by what must never change."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from perfkit import augment
from perfkit._backend import ops
from perfkit.ops import choice, noise, spans
from tests.conformance.common import run_uncompiled
from tests.oracles import drawn, to_numpy

SPECIAL = [0, 1, 2, 3]
MASK = 3
OPERATIONS = {
    "dropout": lambda **kwargs: augment.TokenDropout(MASK, **kwargs),
    "replacement": lambda **kwargs: augment.TokenReplacement(20, **kwargs),
    "swap": augment.TokenSwap,
    "deletion": augment.TokenDeletion,
    "spans": lambda **kwargs: augment.SpanMasking(MASK, **kwargs),
}
each = pytest.mark.parametrize("operation", OPERATIONS)


@pytest.fixture
def uncompiled():
    """For layers of many arguments."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run_uncompiled(monkeypatch)
        yield


def texts(samples, length, seed=0, low=4, high=20):
    return np.random.default_rng(seed).integers(low, high, (samples, length))


def mixed_texts(samples=64, length=32, seed=0):
    """Texts of any length, that begin with 1 and have special tokens inside."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 20, (samples, length))
    ids[:, 0] = 1
    mask = np.arange(length) < rng.integers(1, length + 1, (samples, 1))
    return {"token_ids": ids, "attention_mask": mask}


def run(layer, inputs):
    return to_numpy(layer(inputs))


# What never changes


@pytest.mark.slow
@each
@pytest.mark.usefixtures("uncompiled")
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    ids=st.lists(st.integers(0, 9), min_size=12, max_size=12),
    kept=st.integers(0, 12),
    left=st.booleans(),
    fraction=st.sampled_from([0.0, 0.3, 1.0]),
    seed=st.integers(0, 9),
)
def test_padding_and_special_tokens_never_change(
    operation, ids, kept, left, fraction, seed
):
    ids = np.array([ids] * 2, "int32")
    mask = np.arange(12) < kept
    mask = np.array([mask[::-1] if left else mask] * 2)
    layer = OPERATIONS[operation](fraction=fraction, special_ids=SPECIAL, seed=seed)
    out = run(layer, {"token_ids": ids, "attention_mask": mask})
    for before, after, real in zip(
        ids, out["token_ids"], out["attention_mask"], strict=True
    ):
        special = np.isin(before, SPECIAL) & mask[0]
        if operation == "deletion":
            stays = ~np.isin(before, SPECIAL) & mask[0]
            kept_ids = [t for t in after[real] if t not in SPECIAL]
            left_over = iter(before[stays])
            assert all(t in left_over for t in kept_ids)  # in their order
            assert kept_ids or not stays.any()
            specials = [t for t in after[real] if t in SPECIAL]
            assert specials == before[special].tolist()
            padding = before[~mask[0]].tolist()
            assert after[~real].tolist() == padding + [0] * (
                (~real).sum() - len(padding)
            )
        else:
            assert np.array_equal(real, mask[0])
            assert np.array_equal(after[special], before[special])
            assert np.array_equal(after[~real], before[~real])
    if fraction == 0.0:
        assert np.array_equal(out["token_ids"], ids)


@each
def test_without_a_mask_every_token_may_change_but_special_ones(operation):
    ids = np.array([[1, 5, 6, 7, 8, 9, 10, 2]] * 64)
    layer = OPERATIONS[operation](fraction=1.0, special_ids=[1, 2], seed=1)
    out = run(layer, ids)
    assert (out[:, 0] == 1).all()
    changed = (out != ids).any(axis=0)
    assert changed[1:-1].all()
    if operation != "deletion":
        assert (out[:, -1] == 2).all()


@each
@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("dtype", ["int32", "uint16", "int16"])
def test_ids_and_masks_keep_their_dtypes(operation, dtype):
    layer = OPERATIONS[operation](fraction=0.5, dtype="mixed_float16")
    mask = np.ones((4, 8), "bool")
    out = run(layer, {"token_ids": texts(4, 8).astype(dtype), "attention_mask": mask})
    assert out["token_ids"].dtype == dtype
    assert out["attention_mask"].dtype == bool


# Dropout and replacement


def test_tokens_are_dropped_each_on_its_own_with_the_drawn_probability():
    ids = texts(256, 64)
    layer = augment.TokenDropout(MASK, (0.1, 0.6), seed=1)
    fraction = drawn(layer, 256)["fraction"]
    out = run(layer, ids)
    hidden = out == MASK
    assert np.array_equal(out[~hidden], ids[~hidden])
    error = (hidden.sum(axis=1) - 64 * fraction) / np.sqrt(
        64 * fraction * (1 - fraction)
    )
    assert stats.kstest(error, "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(hidden.T - fraction) - np.eye(64)).max() < 0.35


def test_replacements_are_uniform_over_the_ids_that_are_not_special():
    ids = np.full((128, 64), 15)
    layer = augment.TokenReplacement((5, 16), 1.0, special_ids=[0, 7, 8, 16], seed=1)
    counts = np.bincount(run(layer, ids).ravel(), minlength=20)
    allowed = [5, 6, 9, 10, 11, 12, 13, 14, 15]
    assert set(np.nonzero(counts)[0]) == set(allowed)
    assert stats.chisquare(counts[allowed]).pvalue > 1e-3


def test_the_share_that_is_replaced_is_the_fraction():
    layer = augment.TokenReplacement((50, 99), 0.3, seed=1)
    replaced = (run(layer, texts(128, 64)) >= 50).mean()
    assert abs(replaced - 0.3) < 4 * np.sqrt(0.21 / 128 / 64)


def test_a_vocabulary_is_a_number_or_its_ends():
    assert augment.TokenReplacement(5).vocabulary == (0, 4)
    assert augment.TokenReplacement((3, 5)).vocabulary == (3, 5)
    out = run(augment.TokenReplacement(2, 1.0, seed=1), texts(32, 8))
    assert set(np.unique(out)) == {0, 1}


# Swap and deletion


@pytest.mark.parametrize("fraction", [0.0, 0.25, 1.0])
def test_a_swap_exchanges_pairs_of_the_asked_number(fraction):
    data = mixed_texts()
    place = np.tile(np.arange(32), (64, 1))
    free = data["attention_mask"] & ~np.isin(data["token_ids"], SPECIAL)
    layer = augment.TokenSwap(fraction, special_ids=SPECIAL, seed=1)
    out = run(layer, {**data, "token_labels": place, "token_type_ids": place})
    source = out["token_labels"]
    assert np.array_equal(np.take_along_axis(source, source, axis=1), place)
    assert np.array_equal(
        out["token_ids"], np.take_along_axis(data["token_ids"], source, axis=1)
    )
    assert np.array_equal(out["token_type_ids"], place)
    moved = source != place
    assert not (moved & ~free).any()
    pairs = fraction * free.sum(axis=1) / 2
    assert (np.abs(moved.sum(axis=1) / 2 - pairs) < 1.0).all()
    if fraction == 1.0:
        assert np.array_equal(moved.sum(axis=1), free.sum(axis=1) // 2 * 2)


def test_any_pair_of_tokens_is_as_likely_to_be_swapped():
    place = np.tile(np.arange(5), (4000, 1))
    source = run(augment.TokenSwap(0.4, seed=1), place)
    pairs = [tuple(np.nonzero(row != np.arange(5))[0]) for row in source]
    assert all(len(pair) == 2 for pair in pairs)
    counts = np.unique(pairs, axis=0, return_counts=True)[1]
    assert len(counts) == 10
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("dtype", ["int32", "int16"])
def test_a_deletion_closes_the_gaps_and_takes_everything_along(dtype):
    data = mixed_texts()
    place = np.tile(np.arange(32), (64, 1)).astype(dtype)
    more = {"token_labels": place, "token_type_ids": place + 100}
    layer = augment.TokenDeletion(0.4, pad_id=19, special_ids=SPECIAL, seed=1)
    out = run(layer, {**data, **more})
    for k in range(64):
        source = out["token_labels"][k]
        number = (source >= 0).sum()
        stays = source[:number]
        assert (np.diff(stays) > 0).all()
        assert np.array_equal(out["token_ids"][k, :number], data["token_ids"][k, stays])
        mask = data["attention_mask"][k, stays]
        assert np.array_equal(out["attention_mask"][k, :number], mask)
        assert np.array_equal(out["token_type_ids"][k, :number], stays + 100)
        assert (out["token_ids"][k, number:] == 19).all()
        assert not out["attention_mask"][k, number:].any()
        assert (out["token_type_ids"][k, number:] == 0).all()


def test_one_token_stays_any_of_them_as_likely():
    place = np.tile(np.arange(1, 7), (600, 1))
    out = run(augment.TokenDeletion(1.0, seed=1), place)
    assert not out[:, 1:].any()
    counts = np.bincount(out[:, 0], minlength=7)[1:]
    assert stats.chisquare(counts).pvalue > 1e-3


# Spans


@pytest.mark.parametrize("fraction", [0.15, 0.5, 1.0])
def test_the_budget_of_spans_is_met_exactly(fraction):
    data = mixed_texts()
    free = data["attention_mask"] & ~np.isin(data["token_ids"], SPECIAL)
    layer = augment.SpanMasking(MASK, fraction, special_ids=SPECIAL, seed=1)
    hidden = (run(layer, data)["token_ids"] == MASK) & free
    assert (np.abs(hidden.sum(axis=1) - fraction * free.sum(axis=1)) < 1.0).all()


def test_a_number_of_tokens_that_is_not_whole_is_rounded_at_random():
    hidden = run(augment.SpanMasking(MASK, 0.13, seed=1), texts(2000, 10)) == MASK
    counts = np.bincount(hidden.sum(axis=1))
    assert counts[0] == 0
    assert len(counts) == 3
    assert abs(counts[2] / 2000 - 0.3) < 4 * np.sqrt(0.21 / 2000)


@pytest.mark.parametrize(("mean", "longest"), [(3.8, 10), (1.5, 4), (3.0, 20)])
def test_lengths_of_spans_are_geometric_with_their_mean(mean, longest):
    bits = ops.convert_to_tensor(np.arange(64), "int32")
    ratio = spans.ratio(mean, longest)
    lengths = to_numpy(spans.geometric(noise.uniform(bits, 256), ratio, longest))
    expected = ratio ** np.arange(longest)
    expected = expected / expected.sum()
    assert abs((expected * np.arange(1, longest + 1)).sum() - mean) < 1e-6
    counts = np.bincount(lengths.ravel().astype(int), minlength=longest + 1)[1:]
    assert len(counts) == longest
    enough = expected * lengths.size > 5
    left_over = counts[~enough].sum()
    assert left_over <= 5 + 5 * np.sqrt(lengths.size * expected[~enough].sum() + 1)
    share = expected[enough] / expected[enough].sum()
    assert stats.chisquare(counts[enough], share * counts[enough].sum()).pvalue > 1e-3


def test_spanbert_masks_spans_of_three_point_eight_tokens():
    assert abs(spans.ratio(3.797, 10) - 0.8) < 1e-3  # 1 - p of the paper's geometric


def laid(turns, lengths, free, number):
    """One span after the other, in plain Python."""
    hidden, size = [], len(free)
    for start in np.argsort(turns, kind="stable"):
        if not free[start]:
            continue
        for place in range(start, min(start + int(lengths[start]), size)):
            if free[place] and place not in hidden and len(hidden) < number:
                hidden.append(place)
    return sorted(hidden)


def test_spans_are_laid_one_after_the_other_until_the_budget_is_spent():
    data = mixed_texts(16, 40)
    free = data["attention_mask"] & ~np.isin(data["token_ids"], SPECIAL)
    layer = augment.SpanMasking(MASK, (0.1, 0.9), 4.0, 9, special_ids=SPECIAL, seed=1)
    params = drawn(layer, 16)
    starts, draws = [ops.convert_to_tensor(params[k]) for k in ("starts", "lengths")]
    turns, draws = to_numpy(choice.keys(starts, 40)), noise.uniform(draws, 40)
    lengths = to_numpy(spans.geometric(draws, spans.ratio(4.0, 9), 9))
    number = to_numpy(
        choice.rounded(
            ops.convert_to_tensor(free.sum(axis=1) * params["fraction"], "float32"),
            ops.convert_to_tensor(params["rounding"]),
        )
    )
    hidden = (run(layer, data)["token_ids"] == MASK) & free
    for k in range(16):
        expected = laid(turns[k], lengths[k], free[k], number[k])
        assert np.nonzero(hidden[k])[0].tolist() == expected


def test_spans_begin_anywhere():
    hidden = run(augment.SpanMasking(MASK, 0.2, seed=1), texts(3000, 20)) == MASK
    share = hidden.mean(axis=0)
    # The first tokens are in fewer spans, for none begins before the text.
    assert share[10:].std() < 5 * np.sqrt(0.16 / 3000)
    assert abs(share.mean() - 0.2) < 1e-6


def test_the_ids_as_they_were_are_labels_to_learn():
    ids = texts(4, 16)
    out = augment.SpanMasking(MASK, 0.5, seed=1)({"token_ids": ids, "labels": ids})
    assert out["labels"] is ids
    hidden = to_numpy(out["token_ids"]) == MASK
    assert np.array_equal(np.where(hidden, ids, to_numpy(out["token_ids"])), ids)
    assert hidden.sum() == 32
