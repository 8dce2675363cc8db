"""The median against OpenCV and SciPy, its network by the zero-one principle."""

import itertools

import cv2
import numpy as np
import pytest
from scipy import ndimage

from perfkit import augment
from perfkit.ops import median
from tests.oracles import noise, to_numpy


@pytest.mark.parametrize("size", [3, 5])
def test_median_blur_is_that_of_opencv(size):
    image = noise(12, 14, 3)
    blurred = to_numpy(augment.MedianBlur(size)(image))
    inner = (slice(size // 2, -(size // 2)),) * 2  # OpenCV repeats the border
    np.testing.assert_array_equal(blurred[inner], cv2.medianBlur(image, size)[inner])


@pytest.mark.parametrize("size", [3, 5])
@pytest.mark.parametrize("shape", [(2, 9, 7, 3), (1, 2, 3, 1)])
def test_median_blur_repeats_the_border(size, shape):
    images = noise(*shape).astype("uint8")  # with ties
    blurred = to_numpy(augment.MedianBlur(size)(images))
    expected = ndimage.median_filter(images, (1, size, size, 1), mode="nearest")
    np.testing.assert_array_equal(blurred, expected)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 13])
def test_the_network_sorts(count):
    """As it sorts all zeros and ones, it sorts everything (Knuth)."""
    rows = np.array(list(itertools.product([0, 1], repeat=count)))
    for i, j in median._network(count):
        assert i < j
        rows[:, [i, j]] = np.sort(rows[:, [i, j]], axis=1)
    assert (np.diff(rows, axis=1) >= 0).all()


def test_at_inference_nothing_is_blurred():
    images = noise(2, 5, 5, 1)
    blurred = augment.MedianBlur()(images, training=False)
    np.testing.assert_array_equal(to_numpy(blurred), images)
