"""Fields of random numbers: distribution, independence, agreement of the backends."""

import numpy as np
import pytest
from scipy import stats

from perfkit._backend import ops
from perfkit._random import Sampler
from perfkit.ops import noise

BITS = np.array([0, 1, -5, 2**31 - 1], "int32")


def words_in_numpy(bits, size):
    """The definition in unsigned arithmetic, which wraps by itself."""

    def mixed(x):
        x = (x ^ (x >> np.uint32(16))) * np.uint32(0x7FEB352D)
        x = (x ^ (x >> np.uint32(15))) * np.uint32(0x846CA68B)
        return x ^ (x >> np.uint32(16))

    bits = bits.astype("uint32")[:, None]
    places = np.arange(size, dtype="uint32")[None]
    return mixed(mixed(places + bits) ^ mixed(bits ^ np.uint32(0x2545F491)))


def test_words_are_those_of_the_definition():
    words = np.asarray(noise.words(ops.convert_to_tensor(BITS, "int32"), 7, 100))
    assert np.array_equal(
        words.view("uint32").reshape(4, -1), words_in_numpy(BITS, 700)
    )


@pytest.mark.parametrize(
    ("draw", "distribution"),
    [
        (noise.uniform, "uniform"),
        (noise.normal, "norm"),
        (noise.nearly_normal, "norm"),
    ],
)
def test_fields_follow_their_distribution(draw, distribution):
    fields = np.asarray(draw(ops.convert_to_tensor(BITS, "int32"), 100, 100))
    for field in fields.reshape(4, -1):
        assert stats.kstest(field, distribution).pvalue > 1e-3


def test_every_place_of_a_small_field_is_random():
    bits = ops.convert_to_tensor(np.arange(3000), "int32")
    for field in np.asarray(noise.uniform(bits, 8)).T:
        assert stats.kstest(field, "uniform").pvalue > 1e-3


def test_neighbours_and_samples_are_unrelated():
    fields = np.asarray(noise.normal(ops.convert_to_tensor(BITS, "int32"), 200, 200))
    flat = fields.reshape(4, -1)
    bound = 5.0 / np.sqrt(flat.shape[1])
    assert np.abs(np.corrcoef(flat) - np.eye(4)).max() < bound
    for lag in (1, 2, 200, 201):
        assert abs(np.corrcoef(flat[0, lag:], flat[0, :-lag])[0, 1]) < bound
        assert abs(np.corrcoef(flat[0, lag:], flat[1, :-lag])[0, 1]) < bound


def test_every_place_differs_between_samples():
    bits = np.random.default_rng(0).integers(-(2**31), 2**31, 2000).astype("int32")
    fields = np.asarray(noise.uniform(ops.convert_to_tensor(bits, "int32"), 50))
    for place in fields.T:
        assert stats.kstest(place, "uniform").pvalue > 1e-4


def test_bits_differ_between_samples_and_draws():
    key = ops.convert_to_tensor(np.array([3, 4]), "int32")
    sampler = Sampler(1000, key)
    first, second = np.asarray(sampler.bits()), np.asarray(sampler.bits())
    assert len(np.unique(np.concatenate([first, second]))) > 1990
    assert (first < 0).any()
    assert (first > 0).any()


def test_what_is_nearly_normal_is_what_is_normal_nearly():
    bits = ops.convert_to_tensor(BITS, "int32")
    exact, near = noise.normal(bits, 100, 100), noise.nearly_normal(bits, 100, 100)
    assert np.abs(np.asarray(exact) - np.asarray(near)).max() < 1e-4


def quantiles_in_scipy(mean):
    """Poisson numbers by inversion of the chances that the words stand for."""
    chance = (words_in_numpy(BITS, mean.shape[1]) >> np.uint32(8)) / 2**24
    return np.maximum(stats.poisson.ppf(chance, mean), 0)  # -1 where it is nil


def test_poisson_fields_of_small_means_invert_their_chance():
    mean = np.random.default_rng(0).uniform(0, 8, (4, 50000)).astype("float32")
    mean[:, :100] = 0.0
    numbers = poisson(mean)
    wrong = numbers != quantiles_in_scipy(mean.astype("float64"))
    assert wrong.mean() < 1e-5  # where float32 rounds a sum over a chance
    assert (numbers[:, :100] == 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("mean", [8.01, 12.0, 50.0, 1e3, 1e4])
def test_poisson_fields_of_great_means_are_seldom_off_by_one(mean):
    means = np.full((4, 50000), mean, "float32")
    off = np.abs(poisson(means) - quantiles_in_scipy(means.astype("float64")))
    assert off.max() <= 1
    assert off.mean() < max(1 / 1000, 1e-4 * np.sqrt(mean))


@pytest.mark.parametrize("mean", [0.1, 2.0, 7.9, 8.1, 30.0, 400.0])
def test_poisson_fields_follow_their_distribution(mean):
    numbers = poisson(np.full((4, 50000), mean, "float32")).ravel()
    assert abs(numbers.mean() - mean) < 4 * np.sqrt(mean / numbers.size)
    spread = np.sqrt((1 / mean + 2) / numbers.size)  # of a variance, over itself
    assert abs(numbers.var() / mean - 1) < 4 * spread
    values, counts = np.unique(numbers, return_counts=True)
    reached = np.cumsum(counts) / numbers.size
    distance = np.abs(reached - stats.poisson.cdf(values, mean)).max()
    assert distance < 1.95 / np.sqrt(numbers.size)  # one in 1,000 is farther


def poisson(mean):
    bits = ops.convert_to_tensor(BITS, "int32")
    return np.asarray(noise.poisson(bits, ops.convert_to_tensor(mean, "float32")))


def test_the_normal_quantile_is_that_of_scipy():
    x = np.concatenate([np.linspace(-1, 1, 10001)[1:-1], [1 - 2**-24, 2**-24 - 1]])
    ours = noise._normal_quantile(ops.convert_to_tensor(x, dtype="float32"))
    exact = stats.norm.ppf((1 + x.astype("float32").astype("float64")) / 2)
    np.testing.assert_allclose(np.asarray(ours), exact, atol=5e-5)
