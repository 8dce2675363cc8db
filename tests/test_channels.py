"""Operations on channels as such, sepia and coloured light, against NumPy."""

import itertools

import numpy as np
import pytest

from perfkit import augment
from tests.oracles import drawn, noise, to_numpy

every_range = pytest.mark.parametrize("value_range", [(0, 255), (0, 1), (-1, 1)])


def numbered(samples, channels):
    """Images of one pixel whose channels hold 1, 2, ..."""
    pixel = np.arange(1.0, channels + 1, dtype="float32")
    return np.broadcast_to(pixel, (samples, 1, 1, channels)).copy()


def within_four_errors(counts, samples, share):
    assert abs(counts - samples * share).max() < 4 * np.sqrt(
        samples * share * (1 - share)
    )


def test_every_order_of_channels_is_as_likely():
    out = to_numpy(augment.ChannelShuffle(seed=1)(numbered(3000, 3))).reshape(3000, 3)
    orders, counts = np.unique(out, axis=0, return_counts=True)
    assert orders.tolist() == sorted(map(list, itertools.permutations([1, 2, 3])))
    within_four_errors(counts, 3000, 1 / 6)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_shuffled_channels_are_all_there_and_whole(channels):
    images = noise(50, 4, 5, channels)
    out = to_numpy(augment.ChannelShuffle(seed=1)(images))
    first = set()
    for image, shuffled in zip(images, out, strict=True):
        same = (image[..., :, None] == shuffled[..., None, :]).all(axis=(0, 1))
        assert (same.sum(axis=0) == 1).all()
        assert (same.sum(axis=1) == 1).all()
        first.add(int(same[:, 0].argmax()))
    assert first == set(range(channels))


def test_every_number_and_choice_of_dropped_channels_is_as_likely():
    layer = augment.ChannelDropout((1, 2), fill_value=-7.0, seed=1)
    out = to_numpy(layer(numbered(3000, 4))).reshape(3000, 4)
    dropped = out == -7
    np.testing.assert_array_equal(
        out[~dropped], np.tile([1, 2, 3, 4], (3000, 1))[~dropped]
    )
    numbers, counts = np.unique(dropped.sum(axis=1), return_counts=True)
    assert numbers.tolist() == [1, 2]
    within_four_errors(counts, 3000, 1 / 2)
    for number, choices in ((1, 4), (2, 6)):
        chosen = dropped[dropped.sum(axis=1) == number]
        _, counts = np.unique(chosen, axis=0, return_counts=True)
        assert len(counts) == choices
        within_four_errors(counts, len(chosen), 1 / choices)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_one_channel_is_left_in_any_case(channels):
    out = to_numpy(augment.ChannelDropout(9, seed=1)(numbered(20, channels)))
    assert ((out == 0).sum(axis=-1) == channels - 1).all()


def test_channels_are_shuffled_and_dropped_within_a_fused_pipeline():
    images = noise(8, 9, 12, 4, low=90, high=140)  # so that nothing is cut off
    layers = [
        augment.RandomHue(0.5),
        augment.ChannelShuffle(),
        augment.RandomRotation(0.1, fill_mode="constant", fill_value=9.0),
        augment.ChannelDropout(fill_value=20.0),
        augment.Sepia(),
    ]
    fused, plain = [
        to_numpy(augment.Pipeline(layers, fused=fused, seed=1)(images))
        for fused in (True, False)
    ]
    np.testing.assert_allclose(fused, plain, rtol=0, atol=0.05)


@every_range
def test_sepia_is_that_of_the_filter_effects(value_range):
    low, high = value_range
    shares = noise(4, 5, 6, 3, high=1.0)
    layer = augment.Sepia(1.0, value_range, seed=1)
    amount = drawn(layer, 4)["factor"]
    assert np.ptp(amount) > 0.3
    expected = []
    for share, s in zip(shares, 1 - amount, strict=True):
        matrix = [
            [0.393 + 0.607 * s, 0.769 - 0.769 * s, 0.189 - 0.189 * s],
            [0.349 - 0.349 * s, 0.686 + 0.314 * s, 0.168 - 0.168 * s],
            [0.272 - 0.272 * s, 0.534 - 0.534 * s, 0.131 + 0.869 * s],
        ]
        expected.append(np.clip(share @ np.transpose(matrix), 0, 1))
    out = to_numpy(layer(low + (high - low) * shares))
    np.testing.assert_allclose((out - low) / (high - low), expected, rtol=0, atol=1e-5)


def locus(kelvin):
    """Linear sRGB of a black body, by a cubic fit of its chromaticity.

    Kim et al., Design of Advanced Color Temperature Control System for HDTV
    Applications, 2002, and the matrix of IEC 61966-2-1.
    """
    powers = np.array([1e9 / kelvin**3, 1e6 / kelvin**2, 1e3 / kelvin, 1.0])
    if kelvin <= 4000:
        x = powers @ [-0.2661239, -0.2343589, 0.8776956, 0.179910]
        y = np.polyval([-0.9549476, -1.37418593, 2.09137015, -0.16748867], x)
    else:
        x = powers @ [-3.0258469, 2.1070379, 0.2226347, 0.240390]
        y = np.polyval([3.0817580, -5.87338670, 3.75112997, -0.37001483], x)
    to_rgb = [
        [3.2406, -1.5372, -0.4986],
        [-0.9689, 1.8758, 0.0415],
        [0.0557, -0.2040, 1.0570],
    ]
    return np.array(to_rgb) @ [x / y, 1.0, (1 - x - y) / y]


@pytest.mark.parametrize("kelvin", [2500, 3000, 4000, 6500, 10000, 20000])
def test_planckian_gains_follow_the_locus_of_black_bodies(kelvin):
    grey = np.full((1, 1, 1, 3), 100.0, "float32")
    gains = to_numpy(augment.RandomPlanckian(kelvin)(grey)).reshape(3) / 100
    linear = locus(kelvin) / locus(6500)
    np.testing.assert_allclose(gains**2.2, linear / linear[1], rtol=0.03)
    assert gains[1] == 1


def test_planckian_light_of_the_white_point_changes_nothing():
    images = noise(2, 4, 5, 3)
    out = to_numpy(augment.RandomPlanckian(6500)(images))
    np.testing.assert_allclose(out, images, atol=1e-3)


@every_range
def test_planckian_light_scales_from_black_and_is_cut_off(value_range):
    low, high = value_range
    shares = noise(4, 5, 6, 4, high=1.0)
    layer = augment.RandomPlanckian((2500, 20000), value_range, seed=1)
    kelvin = drawn(layer, 4)["kelvin"]
    assert kelvin.min() < 5000 < 7000 < kelvin.max()
    linear = np.stack([locus(k) for k in kelvin.astype("float64")]) / locus(6500)
    gains = (linear / linear[:, 1:2]) ** (1 / 2.2)
    expected = shares.astype("float64")
    expected[..., :3] = np.clip(shares[..., :3] * gains[:, None, None], 0, 1)
    out = to_numpy(layer(low + (high - low) * shares))
    np.testing.assert_allclose((out - low) / (high - low), expected, rtol=0, atol=0.02)
    np.testing.assert_allclose(
        out[..., 3], low + (high - low) * shares[..., 3], atol=1e-3
    )


def test_temperatures_are_uniform_in_their_reciprocal():
    kelvin = drawn(augment.RandomPlanckian((3000, 15000), seed=1), 4000)["kelvin"]
    assert kelvin.min() >= 2999
    assert kelvin.max() <= 15001
    place = (1e6 / kelvin - 1e6 / 15000) / (1e6 / 3000 - 1e6 / 15000)
    assert abs(place.mean() - 0.5) < 4 / np.sqrt(12 * 4000)
    assert abs(place.var() - 1 / 12) < 4 / np.sqrt(180 * 4000)
