"""Reducing and enlarging against PIL and against whole numbers."""

import numpy as np
import pytest
from PIL import Image

from perfkit import augment
from tests.oracles import drawn, noise, to_numpy

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}
ANYTHING = (-1000, 1000)


def smaller(scale, size):
    return max(round(size * float(scale)), 1)


@pytest.mark.parametrize("interpolation", FILTERS)
@pytest.mark.parametrize("size", [(31, 23), (1, 7), (12, 20)])
def test_images_go_through_a_smaller_one_of_pil(interpolation, size):
    images = noise(4, *size, 2)
    layer = augment.Downscale((0.1, 1.0), interpolation, ANYTHING, seed=1)
    scales = drawn(layer, 4)["scale"]
    assert np.ptp(scales) > 0.2
    out = to_numpy(layer(images))
    for ours, image, scale in zip(out, images, scales, strict=True):
        between = [smaller(scale, n) for n in size]
        for k in range(2):
            picture = Image.fromarray(image[..., k])
            for rows, columns in (between, size):
                picture = picture.resize((columns, rows), FILTERS[interpolation])
            np.testing.assert_allclose(ours[..., k], np.asarray(picture), atol=5e-3)


@pytest.mark.parametrize("size", [(31, 23), (1, 7), (12, 20)])
def test_nearest_repeats_the_pixels_at_the_centres_of_blocks(size):
    images = noise(8, *size, 3)
    layer = augment.Downscale((0.1, 1.0), seed=1)
    scales = drawn(layer, 8)["scale"]

    def read(scale, n):
        left = smaller(scale, n)
        centers = np.floor((np.arange(left) + 0.5) * n / left).astype(int)
        return centers[np.floor((np.arange(n) + 0.5) * left / n).astype(int)]

    for ours, image, scale in zip(to_numpy(layer(images)), images, scales, strict=True):
        rows, columns = [read(scale, n) for n in size]
        np.testing.assert_array_equal(ours, image[rows][:, columns])


def test_nearest_is_that_of_pil_without_ties():
    image = noise(24, 36, 1)
    picture = Image.fromarray(image[..., 0])
    for rows, columns in ((8, 12), (24, 36)):
        picture = picture.resize((columns, rows), Image.Resampling.NEAREST)
    ours = to_numpy(augment.Downscale(1 / 3)(image))[..., 0]
    np.testing.assert_array_equal(ours, np.asarray(picture))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "lanczos5"])
def test_the_whole_size_changes_nothing(interpolation):
    images = noise(2, 9, 14, 3)
    out = to_numpy(augment.Downscale(1.0, interpolation)(images))
    np.testing.assert_allclose(out, images, atol=1e-2)


def test_what_overshoots_is_cut_off():
    edge = np.repeat([[0.0] * 8 + [1.0] * 8], 16, axis=0)[..., None].astype("float32")
    wide = to_numpy(augment.Downscale(0.5, "bicubic", ANYTHING)(edge))
    assert wide.min() < -0.01
    assert wide.max() > 1.01
    cut = to_numpy(augment.Downscale(0.5, "bicubic", (0, 1))(edge))
    np.testing.assert_allclose(cut, wide.clip(0, 1), atol=1e-6)
