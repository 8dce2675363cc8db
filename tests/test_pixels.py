"""Operations on pixel values, against NumPy, PIL and OpenCV."""

import functools

import cv2
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy import interpolate

from perfkit import _backend, augment
from perfkit.ops import histogram
from tests.oracles import drawn, noise, to_numpy

RANGES = [(0, 255), (0, 1), (-1, 1)]
every_range = pytest.mark.parametrize("value_range", RANGES)


def whole(*shape, low=0, high=256, seed=0):
    return np.random.default_rng(seed).integers(low, high, shape).astype("uint8")


def by_pil(function, images, *arguments):
    """What PIL makes of each uint8 image, of one channel or of RGB."""
    return np.stack(
        [
            np.asarray(function(Image.fromarray(image.squeeze()), *arguments))
            for image in images
        ]
    ).reshape(images.shape)


def onto(value_range, images):
    """Values of uint8 images on another range."""
    low, high = value_range
    return (low + (high - low) / 255 * images.astype("float64")).astype("float32")


@every_range
def test_gamma_is_the_power_of_the_share_of_the_range(value_range):
    low, high = value_range
    images = noise(4, 5, 6, 3, low=low - 0.1, high=high + 0.1)
    layer = augment.RandomGamma((0.5, 2.0), value_range, seed=1)
    factor = drawn(layer, 4)["factor"]
    assert factor.min() < 1 < factor.max()
    share = np.clip((images.astype("float64") - low) / (high - low), 0, 1)
    expected = low + (high - low) * share ** factor[:, None, None, None]
    np.testing.assert_allclose(to_numpy(layer(images)), expected, atol=2e-3)


@every_range
@pytest.mark.parametrize("bits", range(1, 9))
def test_posterization_is_that_of_pil(bits, value_range):
    images = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    layer = augment.RandomPosterization(bits, value_range)
    expected = onto(value_range, by_pil(ImageOps.posterize, images, bits))
    out = to_numpy(layer(onto(value_range, images)))
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)


def test_posterization_draws_whole_bits_with_both_ends():
    bits = drawn(augment.RandomPosterization((2, 5), seed=1), 4000)["bits"]
    numbers, counts = np.unique(bits, return_counts=True)
    assert numbers.tolist() == [2, 3, 4, 5]
    assert abs(counts - 1000).max() < 4 * np.sqrt(4000 * 3 / 16)


def test_solarization_is_that_of_pil():
    images = np.arange(256, dtype="uint8").reshape(1, 16, 16, 1)
    for threshold in (0, 1, 100, 255):
        layer = augment.Solarization(threshold_factor=(threshold / 255,) * 2)
        expected = by_pil(ImageOps.solarize, images, threshold)
        np.testing.assert_array_equal(to_numpy(layer(images)), expected)


@every_range
def test_solarization_adds_and_cuts_off_first(value_range):
    low, high = value_range
    images = noise(4, 5, 6, 3, low=low - 0.1, high=high + 0.1)
    layer = augment.Solarization((0.1, 0.4), (0.3, 0.8), value_range, seed=1)
    params = drawn(layer, 4)
    addition, threshold = [
        params[name].astype("float64")[:, None, None, None]
        for name in ("addition", "threshold")
    ]
    for shares, least, most in (
        (addition / (high - low), 0.1, 0.4),
        ((threshold - low) / (high - low), 0.3, 0.8),
    ):
        assert least <= shares.min() < shares.max() - 0.05
        assert shares.max() <= most
    brighter = np.clip(images + addition, low, high)
    expected = np.where(brighter < threshold, brighter, low + high - brighter)
    np.testing.assert_allclose(to_numpy(layer(images)), expected, rtol=0, atol=1e-4)


def test_autocontrast_is_that_of_pil():
    images = whole(4, 6, 7, 3, low=30, high=200)
    images[1, ..., 1] = 7
    out = to_numpy(augment.AutoContrast()(images))
    decimals = out - by_pil(ImageOps.autocontrast, images)  # which PIL cuts off
    assert decimals.min() > -1e-3
    assert decimals.max() < 1 + 1e-3
    np.testing.assert_array_equal(out[1, ..., 1], 7)


@every_range
def test_autocontrast_reaches_both_ends_of_the_range(value_range):
    images = onto(value_range, whole(4, 6, 7, 3, low=90, high=130))
    out = to_numpy(augment.AutoContrast(value_range)(images))
    least, most = [f(images, axis=(1, 2), keepdims=True) for f in (np.min, np.max)]
    expected = np.interp((images - least) / (most - least), (0, 1), value_range)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-3)


EQUALIZED = {
    "noise": whole(2, 40, 40, 3),
    "dark": whole(2, 40, 40, 3, high=30),
    "one level": np.full((2, 40, 40, 3), 77, "uint8"),
    "two levels": whole(2, 40, 40, 3, low=100, high=102),
    "levels above the top": np.repeat([0, 9], [400, 10]).reshape(1, 10, 41, 1),
    "pixels for one step": whole(2, 16, 18, 3),
    "too few pixels": whole(2, 12, 12, 3),
    "ends": whole(2, 40, 40, 3, high=2) * 255,
}


@pytest.mark.parametrize("images", EQUALIZED.values(), ids=EQUALIZED)
def test_equalization_is_that_of_pil(images):
    images = images.astype("uint8")
    out = to_numpy(augment.Equalization()(images))
    np.testing.assert_array_equal(out, by_pil(ImageOps.equalize, images))


@pytest.mark.parametrize("value_range", RANGES[1:])
def test_equalization_serves_every_range(value_range):
    images = EQUALIZED["dark"]
    out = to_numpy(augment.Equalization(value_range)(onto(value_range, images)))
    expected = onto(value_range, by_pil(ImageOps.equalize, images))
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6)


def test_equalization_in_bins_is_that_of_pil_in_fewer_levels():
    """Of 52 levels 5 apart, PIL's table of 256 levels fifths the same steps."""
    images = whole(2, 40, 40, 1, high=52) * 5
    out = to_numpy(augment.Equalization(bins=52)(images))
    level = images[..., 0] // 5
    below = np.stack(
        [(x[None] < np.arange(52)[:, None, None]).sum((1, 2)) for x in level]
    )
    rest = np.array([(x < x.max()).sum() for x in level])
    step = rest // 51
    table = np.minimum((below + step[:, None] // 2) // step[:, None], 51) * 5
    expected = np.stack([row[x] for row, x in zip(table, level, strict=True)])
    np.testing.assert_array_equal(out[..., 0], expected)


@pytest.mark.parametrize("op", [augment.AutoContrast, augment.Equalization])
def test_the_frames_of_a_video_are_changed_alike(op):
    frames = [whole(2, 20, 30, 3, low=k, high=k + 40, seed=k) for k in (40, 90)]
    video = to_numpy(op()(np.stack(frames, axis=1)))
    tall = to_numpy(op()(np.concatenate(frames, axis=1)))
    np.testing.assert_array_equal(np.concatenate([*video.swapaxes(0, 1)], axis=1), tall)


LUMA = np.array([0.299, 0.587, 0.114])
TILED = {
    "whole tiles": ((16, 24), (4, 6)),
    "a remainder": ((45, 33), (4, 5)),
    "a remainder of the width": ((40, 33), (8, 7)),
    "more tiles than pixels": ((3, 5), (8, 8)),
    "one row": ((1, 9), (2, 2)),
    "pixels for all levels": ((60, 48), (1, 1)),
}


def slope(*size, seed=0):
    """Noise on a slope, so that tiles differ."""
    rise = np.linspace(0, 150, size[1]).reshape(1, -1, *[1] * (len(size) - 2))
    return (whole(*size, seed=seed) / 3 + rise).astype("uint8")


def by_opencv(channel, limit, tiles):
    return cv2.createCLAHE(float(limit), tiles[::-1]).apply(channel).astype("float32")


def as_rounded(actual, expected):
    """Equal but for halves, which float32 rounds to either side."""
    off = np.abs(actual - np.array(expected))
    assert off.max() < 1.0 + 1e-3
    assert np.mean(off > 1e-3) < 0.02


@pytest.mark.parametrize(("size", "tiles"), TILED.values(), ids=TILED)
def test_clahe_is_that_of_opencv(size, tiles):
    image = slope(*size)
    limits = np.array([1.0, 2.3, 40.0, 250.0], "float32")
    images = np.stack([image] * 4)[..., None].astype("float32")
    function = _backend.compiled(functools.partial(histogram.clahe, tiles=tiles))
    out = function(images, limits[:, None, None, None])
    expected = [by_opencv(image, limit, tiles) for limit in limits]
    as_rounded(to_numpy(out)[..., 0], expected)


@every_range
def test_clahe_takes_each_channel_and_each_limit(value_range):
    images = np.stack([slope(40, 32, 3, seed=k) for k in range(4)])
    layer = augment.CLAHE(value_range, 30.0, (2, 3), per_channel=True, seed=1)
    limits = drawn(layer, 4)["clip_limit"]
    assert 1 <= limits.min() < limits.max() - 10
    out = to_numpy(layer(onto(value_range, images)))
    expected = [
        [by_opencv(channel, limit, (2, 3)) for channel in np.moveaxis(image, -1, 0)]
        for image, limit in zip(images, limits, strict=True)
    ]
    share = (out - value_range[0]) / (value_range[1] - value_range[0])
    as_rounded(255 * share, np.moveaxis(np.array(expected), 1, -1))


@pytest.mark.parametrize("channels", [3, 5])
def test_clahe_of_colours_moves_them_along_with_the_luma(channels):
    image = slope(40, 32, channels)
    halves = image[..., :3] @ np.array([299, 587, 114]) % 1000 == 500
    image[..., 0] += halves  # which float32 and float64 round either way
    luma = image[..., :3] @ LUMA
    luma = np.rint(luma)
    change = by_opencv(luma.astype("uint8"), 3.0, (8, 8)) - luma
    expected = image.astype("float64")
    expected[..., :3] = np.clip(expected[..., :3] + change[..., None], 0, 255)
    as_rounded(to_numpy(augment.CLAHE((0, 255), (3.0, 3.0))(image)), expected)


@pytest.mark.parametrize("factor", [0.0, 0.3, 0.5, 1.0])
def test_sharpness_is_that_of_pil_inside(factor):
    images = whole(2, 9, 11, 3)
    out = to_numpy(augment.RandomSharpness((factor, factor))(images))
    expected = by_pil(
        lambda image: ImageEnhance.Sharpness(image).enhance(2 * factor), images
    )
    # PIL rounds the smoothed image, whose error is then scaled, and cuts off decimals.
    off = np.abs(out - expected)[:, 1:-1, 1:-1].max()
    assert off <= 1.0 + 0.5 * abs(1 - 2 * factor) + 1e-3


@every_range
@pytest.mark.parametrize("size", [(9, 11), (2, 2), (2, 5)])
def test_sharpness_goes_on_mirrored_beyond_the_edge(size, value_range):
    images = onto(value_range, whole(4, *size, 3))
    layer = augment.RandomSharpness(1.0, value_range, seed=1)
    factor = drawn(layer, 4)["factor"]
    assert factor.min() < 1 < factor.max()
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    for image, out, f in zip(images, to_numpy(layer(images)), factor, strict=True):
        smooth = cv2.filter2D(image.astype("float64"), -1, kernel)  # reflects
        expected = np.clip(smooth + f * (image - smooth), *value_range)
        np.testing.assert_allclose(out, expected, rtol=0, atol=1e-3)


def test_sharpness_leaves_a_row_of_pixels_finite():
    images = whole(2, 1, 5, 3)
    out = to_numpy(augment.RandomSharpness((0.0, 0.0))(images))
    tall = to_numpy(augment.RandomSharpness((0.0, 0.0))(images.repeat(3, axis=1)))
    np.testing.assert_allclose(out, tall[:, :1], atol=1e-3)


def control_points(images, curves):
    """Heights of the inner control points, fitted to each image and channel."""
    shares = images.reshape(-1).astype("float64") / 255
    inner = [3 * (1 - shares) ** 2 * shares, 3 * (1 - shares) * shares**2]
    pixels = curves.shape[1] * curves.shape[2]
    bent = curves.reshape(len(curves), pixels, -1) / 255 - (shares**3)[:, None]
    bent = bent.swapaxes(0, 1).reshape(pixels, -1)
    heights, residual, *_ = np.linalg.lstsq(np.stack(inner, axis=1), bent)
    assert residual.max() < 1e-6
    return heights.reshape(2, len(curves), -1)


RAMP = np.arange(256, dtype="float32").reshape(1, 16, 16, 1)


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_tone_curves_are_rising_bezier_curves(scale):
    curves = to_numpy(augment.ToneCurve(scale, seed=1)(RAMP.repeat(500, axis=0)))
    dark, light = control_points(RAMP, curves)[..., 0]
    assert ((dark > -1e-4) & (dark <= light + 1e-4) & (light < 1 + 1e-4)).all()
    curves = curves.reshape(500, 256)
    assert np.diff(curves, axis=1).min() > -1e-3
    points = np.stack([0 * dark, dark, light, 0 * light + 1])[:, None]
    expected = interpolate.BPoly(points, [0, 1])(np.linspace(0, 1, 256)).T
    np.testing.assert_allclose(curves, 255 * expected, atol=0.01)


def test_the_scale_of_tone_curves_is_a_deviation_about_thirds():
    curves = to_numpy(augment.ToneCurve(0.05, seed=1)(RAMP.repeat(2000, axis=0)))
    for heights, mean in zip(control_points(RAMP, curves), (1 / 3, 2 / 3), strict=True):
        assert abs(heights.mean() - mean) < 4 * 0.05 / np.sqrt(2000)
        assert abs(heights.std() - 0.05) < 4 * 0.05 / np.sqrt(2 * 2000)


@every_range
def test_tone_curves_of_no_scale_only_cut_off(value_range):
    low, high = value_range
    images = noise(2, 5, 6, 3, low=low - 0.1, high=high + 0.1)
    out = to_numpy(augment.ToneCurve(0.0, value_range)(images))
    np.testing.assert_allclose(out, np.clip(images, low, high), atol=1e-4)


@pytest.mark.parametrize("per_channel", [False, True])
def test_channels_share_a_tone_curve_or_not(per_channel):
    images = RAMP.repeat(3, axis=0).repeat(4, axis=-1)
    layer = augment.ToneCurve(0.1, per_channel=per_channel, seed=1)
    curves = to_numpy(layer(images)).reshape(3, 256, 4)
    apart = np.abs(curves[..., :-1] - curves[..., 1:]).max(axis=1)
    assert (apart > 0.5).all() if per_channel else (apart == 0).all()
