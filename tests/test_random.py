"""The generator against published vectors, the draws against their distributions."""

import numpy as np
import pytest
from jax.extend.random import threefry_2x32
from scipy import stats

from perfkit._backend import ops
from perfkit._random import Sampler, SeedStream, threefry
from tests.conformance.common import run_uncompiled, to_numpy

SAMPLES = 8192
ALPHAS = (0.1, 0.4, 1.0, 5.0, 50.0)


def _words(*values):
    words = np.array(values, "uint32").view("int32")
    return [ops.convert_to_tensor(word) for word in words]


def _unsigned(words):
    return np.stack([to_numpy(word) for word in words]).view("uint32")


def _sampler(batch=SAMPLES, key=(5, 9)):
    return Sampler(batch, ops.convert_to_tensor(np.array(key, "int32")))


def _draw(method, *arguments, **options):
    return to_numpy(getattr(_sampler(**options), method)(*arguments))


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        (
            (0x13198A2E, 0x03707344),
            (0x243F6A88, 0x85A308D3),
            (0xC4923A9C, 0x483DF7A0),
        ),
    ],
)
def test_threefry_gives_the_published_vectors(key, counter, expected):
    # Random123 1.14, tests/kat_vectors, threefry2x32 with 20 rounds
    out = threefry(_words(*key), _words(*counter))
    assert tuple(_unsigned(out)) == expected


def test_threefry_equals_jax():
    rng = np.random.default_rng(4)
    key = rng.integers(0, 2**32, 2, dtype="uint32")
    counter = rng.integers(0, 2**32, (2, 100), dtype="uint32")
    ours = threefry(
        _words(*key), [ops.convert_to_tensor(word.view("int32")) for word in counter]
    )
    theirs = np.asarray(threefry_2x32(key, counter))
    assert np.array_equal(_unsigned(ours), theirs.reshape(2, 100))


def _fits(draws, distribution):
    return stats.kstest(draws, distribution).pvalue > 0.01


def test_uniform_draws_are_uniform():
    draws = _draw("uniform", -2.0, 3.0)
    assert draws.min() >= -2.0
    assert draws.max() < 3.0
    assert _fits(draws, stats.uniform(-2.0, 5.0).cdf)


def test_normal_draws_are_normal():
    assert _fits(_draw("normal", 1.0, 2.0), stats.norm(1.0, 2.0).cdf)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_beta_draws_are_beta(alpha):
    draws = _draw("beta", alpha)
    assert np.isfinite(draws).all()
    assert draws.min() >= 0.0
    assert draws.max() <= 1.0
    # Small alphas round to 0 and 1 in float32: compare away from the ends, and the
    # weight of the ends.
    beta = stats.beta(alpha, alpha)
    for edge in (1e-4, 0.01, 0.2, 0.5, 0.8, 0.99, 1.0 - 1e-4):
        expected = beta.cdf(edge)
        error = np.sqrt(expected * (1.0 - expected) / SAMPLES)
        assert abs((draws <= edge).mean() - expected) <= 4.0 * error + 1e-4
    middle = draws[(draws > 0.01) & (draws < 0.99)]
    low, high = beta.cdf([0.01, 0.99])
    assert _fits(middle, lambda x: (beta.cdf(x) - low) / (high - low))


def test_beta_takes_one_parameter_per_sample():
    alpha = np.where(np.arange(SAMPLES) % 2, 0.5, 8.0).astype("float32")
    draws = _draw("beta", ops.convert_to_tensor(alpha))
    for value in (0.5, 8.0):
        assert _fits(draws[alpha == value], stats.beta(value, value).cdf)


@pytest.mark.parametrize("rate", [0.0, 0.03, 0.5, 1.0])
def test_bernoulli_has_its_rate(rate):
    draws = _draw("bernoulli", rate)
    assert draws.dtype == bool
    error = np.sqrt(rate * (1.0 - rate) / SAMPLES)
    assert abs(draws.mean() - rate) <= 4.0 * error


def test_signs_are_as_likely():
    draws = _draw("sign")
    assert set(draws) == {-1.0, 1.0}
    assert abs(draws.mean()) <= 4.0 / np.sqrt(SAMPLES)


def test_integers_are_as_likely():
    draws = _draw("integers", -3, 4)
    values, counts = np.unique(draws, return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert stats.chisquare(counts).pvalue > 0.01


@pytest.mark.slow
def test_permutations_are_as_likely(monkeypatch):
    run_uncompiled(monkeypatch)  # with one program for all keys
    orders = [tuple(_draw("permutation", batch=3, key=(1, k))) for k in range(400)]
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6
    assert stats.chisquare(counts).pvalue > 0.01


def test_permutation_is_one():
    order = _draw("permutation")
    assert np.array_equal(np.sort(order), np.arange(SAMPLES))


def test_a_sample_draws_the_same_in_any_batch():
    few, many = _sampler(3), _sampler(50)
    for _ in range(10):  # more than are drawn at once
        ours, theirs = to_numpy(few.uniform()), to_numpy(many.uniform())
        assert np.array_equal(ours, theirs[:3])


def test_draws_are_not_correlated():
    sampler = _sampler()
    columns = np.stack([to_numpy(sampler.uniform()) for _ in range(20)])
    between_draws = np.corrcoef(columns) - np.eye(20)
    between_samples = np.corrcoef(columns[:, :-1].ravel(), columns[:, 1:].ravel())
    other_key = np.corrcoef(columns[0], _draw("uniform", key=(5, 10)))
    for correlation in (between_draws, between_samples[0, 1], other_key[0, 1]):
        assert np.abs(correlation).max() < 5.0 / np.sqrt(SAMPLES)


def test_keys_of_a_stream_differ():
    ours, theirs = SeedStream(3), SeedStream(4)
    keys = [tuple(to_numpy(s.next_key())) for s in (ours, theirs) for _ in range(50)]
    assert len(set(keys)) == 100


def test_any_seed_makes_a_stream():
    for seed in (0, 2**31, 2**32 - 1):
        first, second = [to_numpy(SeedStream(seed).next_key()) for _ in range(2)]
        assert np.array_equal(first, second)
