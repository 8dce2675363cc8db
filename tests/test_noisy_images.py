"""Layers that add noise: its size, its shape, and what it leaves alone."""

import numpy as np
import pytest
from scipy import stats

from perfkit import augment
from tests.oracles import drawn, noise, to_numpy

every_range = pytest.mark.parametrize("value_range", [(0, 255), (0, 1), (-1, 1)])


def grey(value_range, share=0.5, shape=(4, 64, 64, 3)):
    low, high = value_range
    return np.full(shape, low + share * (high - low), "float32")


# Gaussian noise


@every_range
def test_gaussian_noise_is_normal_of_the_drawn_deviation(value_range):
    images = grey(value_range)
    layer = augment.GaussianNoise((0.01, 0.08), value_range, seed=1)
    stddev = drawn(layer, 4)["stddev"]
    assert np.ptp(stddev) > 0.01
    added = to_numpy(layer(images)) - images
    for field, deviation in zip(added, stddev, strict=True):
        scale = deviation * (value_range[1] - value_range[0])
        assert stats.kstest(field.ravel(), "norm", (0, scale)).pvalue > 1e-3


@pytest.mark.parametrize("per_channel", [True, False])
def test_gaussian_noise_is_of_each_channel_or_of_all(per_channel):
    layer = augment.GaussianNoise(0.05, per_channel=per_channel, seed=1)
    out = to_numpy(layer(grey((0, 255))))
    correlation = np.corrcoef(out.reshape(-1, 3).T)[0, 1]
    assert abs(correlation - (not per_channel)) < 5 / np.sqrt(out.size / 3)


@every_range
def test_gaussian_noise_is_cut_off_at_the_range(value_range):
    out = to_numpy(augment.GaussianNoise(1.0, value_range, seed=1)(grey(value_range)))
    assert (out.min(), out.max()) == value_range


# Shot noise


@every_range
def test_shot_noise_counts_photons(value_range):
    low, high = value_range
    images = grey(value_range, share=0.3)
    layer = augment.ShotNoise((0.01, 0.1), value_range, seed=1)
    scale = drawn(layer, 4)["scale"]
    assert np.ptp(scale) > 0.02
    out = (to_numpy(layer(images)) - low) / (high - low)
    for image, one in zip(out, scale, strict=True):
        photons = image / one
        whole = np.round(photons[image < 1])
        np.testing.assert_allclose(photons[image < 1], whole, atol=1e-3)
        mean = 0.3 / one
        assert abs(photons.mean() - mean) < 4 * np.sqrt(mean / photons.size)
        values, counts = np.unique(whole, return_counts=True)
        reached = np.cumsum(counts) / photons.size
        distance = np.abs(reached - stats.poisson.cdf(values, mean)).max()
        assert distance < 1.95 / np.sqrt(photons.size)


def test_shot_noise_is_brighter_where_the_image_is_and_leaves_black():
    ramp = np.repeat(np.linspace(0, 200, 5, dtype="float32")[:, None], 40000, axis=1)
    out = to_numpy(augment.ShotNoise(0.01, seed=1)(ramp[None, :, :, None]))[0, :, :, 0]
    assert (out[0] == 0).all()
    expected = 0.01 * 255 * ramp[1:, 0]
    np.testing.assert_allclose(out[1:].var(axis=1), expected, rtol=0.05)


@every_range
def test_shot_noise_is_cut_off_at_the_range(value_range):
    images = noise(2, 16, 16, 3, low=value_range[0] - 1, high=value_range[1])
    out = to_numpy(augment.ShotNoise(0.7, value_range, seed=1)(images))
    assert (out.min(), out.max()) == value_range


# Salt and pepper


@every_range
def test_salt_and_pepper_change_the_drawn_share_of_pixels(value_range):
    black, white = value_range
    images = grey(value_range, share=0.4)
    layer = augment.SaltAndPepper((0.05, 0.5), (0.1, 0.9), value_range, seed=1)
    params = drawn(layer, 4)
    out = to_numpy(layer(images))
    assert np.ptp(params["changed"]) > 0.1
    for image, original, changed, salted in zip(
        out, images, params["changed"], params["white"], strict=True
    ):
        assert (image == image[..., :1]).all()  # whole pixels
        pixels = image[..., 0]
        assert (
            (pixels == black) | (pixels == white) | (pixels == original[0, 0, 0])
        ).all()
        for color, share in ((white, salted), (black, changed - salted)):
            error = np.sqrt(share * (1 - share) / pixels.size)
            assert abs((pixels == color).mean() - share) < 4 * error


def test_salt_is_a_share_of_what_changes():
    params = drawn(augment.SaltAndPepper((0.1, 0.5), (0.2, 0.3), seed=1), 1000)
    share = params["white"] / params["changed"]
    assert 0.2 <= share.min() < 0.21
    assert 0.29 < share.max() <= 0.3
    assert 0.1 <= params["changed"].min() < params["changed"].max() < 0.5
