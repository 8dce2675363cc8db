"""Blurs against OpenCV and SciPy, with the parameters that were drawn."""

import cv2
import numpy as np
import pytest
from scipy import ndimage

from perfkit import augment
from perfkit._backend import ops
from perfkit.ops import blur, borders
from tests.oracles import drawn, noise, to_numpy


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (4, 9)])
def test_the_border_is_mirrored_in_the_outermost_pixels(size):
    images = noise(2, *size, 3)
    padded = borders.pad(ops.convert_to_tensor(images, dtype="float32"), 5, 2)
    expected = np.pad(images, ((0, 0), (5, 5), (2, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(to_numpy(padded), expected)


# Gaussian blur


@pytest.mark.parametrize("kernel_size", [1, 3, 5, (5, 1), 9, (3, 11), (9, 5)])
def test_gaussian_blur_is_that_of_opencv(kernel_size):
    images = noise(4, 13, 10, 3)
    layer = augment.RandomGaussianBlur(
        kernel_size=kernel_size, sigma=(0.2, 3.0), seed=1
    )
    sigma = drawn(layer, 4)["sigma"]
    rows, columns = layer.kernel_size
    expected = [
        cv2.GaussianBlur(
            image, (columns, rows), float(s), borderType=cv2.BORDER_DEFAULT
        )
        for image, s in zip(images, sigma, strict=True)
    ]
    np.testing.assert_allclose(to_numpy(layer(images)), np.stack(expected), atol=1e-2)


@pytest.mark.parametrize("kernel_size", [5, 9])
def test_gaussian_blur_takes_images_smaller_than_its_kernel(kernel_size):
    images = noise(2, 3, 2, 1)
    layer = augment.RandomGaussianBlur(kernel_size=kernel_size, sigma=(2.0, 2.0))
    expected = ndimage.gaussian_filter(
        images.astype("float64"),
        (0, 2, 2, 0),
        mode="mirror",
        radius=(0, kernel_size // 2, kernel_size // 2, 0),
    )
    np.testing.assert_allclose(to_numpy(layer(images)), expected, rtol=1e-4)


@pytest.mark.parametrize("kernel_size", [3, 9])
def test_no_sigma_is_no_blur(kernel_size):
    images = noise(2, 9, 9, 3)
    layer = augment.RandomGaussianBlur(kernel_size=kernel_size, sigma=0.0)
    np.testing.assert_array_equal(to_numpy(layer(images)), images)


def test_only_blurred_images_are_cut_off_at_the_range():
    images = noise(64, 3, 3, 1, low=-1.0, high=2.0)
    layer = augment.RandomGaussianBlur(0.5, sigma=0.0, value_range=(0, 1), seed=1)
    out = to_numpy(layer(images))
    blurred = drawn(layer, 64)["blurred"]
    assert 16 < blurred.sum() < 48
    np.testing.assert_array_equal(out[~blurred], images[~blurred])
    np.testing.assert_array_equal(out[blurred], images[blurred].clip(0, 1))


# Motion blur


def line_kernel(size, turns, direction, length):
    """The line drawn pixel by pixel, linearly interpolated on the shorter axis."""
    kernel, reach = np.zeros((size, size)), size // 2
    x, y = np.cos(2 * np.pi * turns), -np.sin(2 * np.pi * turns)
    for step in range(-reach, reach + 1):
        along = step / max(abs(x), abs(y))  # signed distance on the line
        ends = min(max(abs(x), abs(y)) * length / 2 + 0.5 - abs(step), 1)
        weight = max(ends, 0) * max(1 + direction * along / (length / 2), 0)
        for row in range(size):
            for column in range(size):
                near_x = max(1 - abs(column - reach - along * x), 0)
                near_y = max(1 - abs(row - reach - along * y), 0)
                kernel[row, column] += weight * near_x * near_y
    return kernel / kernel.sum()


@pytest.mark.parametrize("kernel_size", [3, 7, 11])
def test_motion_blur_filters_with_its_line(kernel_size):
    images = noise(16, 12, 14, 3)
    layer = augment.MotionBlur(kernel_size, seed=1)
    drawing = drawn(layer, 16)
    expected = []
    for k, image in enumerate(images):
        line = [drawing[name][k] for name in ("turns", "direction", "length")]
        kernel = line_kernel(kernel_size, *line)
        expected.append(cv2.filter2D(image, -1, kernel, borderType=cv2.BORDER_DEFAULT))
    np.testing.assert_allclose(to_numpy(layer(images)), np.stack(expected), atol=2e-2)


@pytest.mark.parametrize("turns", [0.0, 0.25, -0.25, 0.5])
def test_a_long_line_on_an_axis_is_the_box_filter_of_opencv(turns):
    images = noise(4, 12, 14, 3)
    line = [ops.zeros((4, 1, 1, 1), "float32") + x for x in (turns, 0.0, 7.0)]
    blurred = blur.motion(ops.convert_to_tensor(images, dtype="float32"), *line, 7)
    window = (7, 1) if turns in (0.0, 0.5) else (1, 7)
    expected = [cv2.blur(image, window) for image in images]
    np.testing.assert_allclose(to_numpy(blurred), np.stack(expected), atol=1e-2)


def test_a_positive_direction_weighs_what_the_angle_points_to():
    point = np.zeros((1, 9, 9, 1), "float32")
    point[0, 4, 4] = 1.0
    layer = augment.MotionBlur(5, angle=(0.125, 0.125), direction=(1.0, 1.0), seed=1)
    blurred = to_numpy(layer(point))[0, :, :, 0]
    # What lies up and to the right of a pixel goes into it: the point, into those
    # below and to the left of it.
    assert blurred[5, 3] > blurred[4, 4] > blurred[3, 5]
    assert blurred[5, 5] == 0


def test_lengths_reach_from_three_pixels_to_the_kernel():
    length = drawn(augment.MotionBlur(9, seed=1), 1000)["length"]
    assert 3 <= length.min() < 3.1
    assert 8.9 < length.max() <= 9
    assert np.all(drawn(augment.MotionBlur(3, seed=1), 10)["length"] == 3)
