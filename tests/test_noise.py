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
    return mixed(mixed(places + bits) ^ mixed(bits - np.uint32(1)))


def test_words_are_those_of_the_definition():
    words = np.asarray(noise.words(ops.convert_to_tensor(BITS, "int32"), 7, 100))
    assert np.array_equal(
        words.view("uint32").reshape(4, -1), words_in_numpy(BITS, 700)
    )


@pytest.mark.parametrize(
    ("draw", "distribution"), [(noise.uniform, "uniform"), (noise.normal, "norm")]
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


def test_bits_differ_between_samples_and_draws():
    key = ops.convert_to_tensor(np.array([3, 4]), "int32")
    sampler = Sampler(1000, key)
    first, second = np.asarray(sampler.bits()), np.asarray(sampler.bits())
    assert len(np.unique(np.concatenate([first, second]))) > 1990
    assert (first < 0).any()
    assert (first > 0).any()
