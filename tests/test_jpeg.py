"""JPEG compression against files of PIL and OpenCV of the same quality."""

import functools
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from perfkit import augment
from perfkit._backend import ops
from perfkit.ops import jpeg
from tests.oracles import drawn, noise, smooth, to_numpy

QUALITIES = [1, 5, 30, 49, 50, 75, 95, 100]


def through_a_file(image, quality, subsampling=0):
    """What PIL reads of what it wrote, and the tables in the file."""
    file = io.BytesIO()
    Image.fromarray(image).save(
        file, "JPEG", quality=int(quality), subsampling=subsampling
    )
    read = Image.open(file)
    return np.asarray(read, "float32"), read.quantization


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_tables_are_those_in_the_file(quality):
    tables = through_a_file(np.zeros((8, 8, 3), "uint8"), quality)[1]
    qualities = ops.convert_to_tensor([quality], dtype="float32")
    for base, number in ((jpeg._LUMA_TABLE, 0), (jpeg._CHROMA_TABLE, 1)):
        ours = to_numpy(jpeg.table(base, qualities))
        np.testing.assert_array_equal(ours[0], tables[number])


def assert_close(ours, theirs, image):
    """The same, but for a step that a rounding error may decide; image is not."""
    assert (ours != theirs).mean() < 0.02
    assert np.abs(ours - theirs).mean() < 0.02
    assert np.abs(image - theirs).mean() > 0.3


@functools.cache
def layer_of(subsample):
    """One layer, and so one program, for all qualities."""
    return augment.JPEGCompression((1, 100), chroma_subsampling=subsample)


@pytest.mark.parametrize("quality", QUALITIES)
@pytest.mark.parametrize("subsample", [False, True])
def test_colours_are_compressed_as_by_pil(quality, subsample):
    image = smooth(1, 43, 53, 3)[0].astype("uint8")  # no whole blocks
    expected, _ = through_a_file(image, quality, 2 if subsample else 0)
    outputs = layer_of(subsample).apply(image, {"quality": [float(quality)]})
    assert_close(to_numpy(outputs), expected, image)


@pytest.mark.parametrize("quality", [10, 90])
@pytest.mark.parametrize("channels", [1, 2])
def test_without_colours_each_channel_is_grey(quality, channels):
    image = smooth(1, 43, 53, channels)[0].astype("uint8")
    ours = to_numpy(augment.JPEGCompression(quality)(image))
    for k in range(channels):
        expected, _ = through_a_file(image[..., k], quality)
        assert_close(ours[..., k], expected, image[..., k])


def test_each_image_has_its_quality_as_in_opencv():
    images = smooth(6, 64, 80, 3).astype("uint8")
    layer = augment.JPEGCompression((1, 100), seed=1)
    qualities = drawn(layer, 6)["quality"]
    assert np.ptp(qualities) > 30
    for ours, image, quality in zip(
        to_numpy(layer(images)), images, qualities, strict=True
    ):
        flag = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
        file = cv2.imencode(".jpg", image[..., ::-1], flag)[1]
        theirs = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1].astype("float32")
        assert_close(ours, theirs, image)


def test_qualities_are_whole_and_both_ends_occur():
    qualities = drawn(augment.JPEGCompression((30, 33), seed=1), 400)["quality"]
    assert np.unique(qualities).tolist() == [30, 31, 32, 33]


@pytest.mark.parametrize("value_range", [(0, 1), (-1, 1)])
def test_other_ranges_are_stretched_to_256_levels(value_range):
    low, high = value_range
    levels = noise(1, 16, 16, 3).round()
    images = low + levels * ((high - low) / 255)
    ours = to_numpy(augment.JPEGCompression(40, value_range)(images))
    expected = to_numpy(augment.JPEGCompression(40)(levels))
    levels = (ours - low) * (255 / (high - low))
    np.testing.assert_allclose(levels, expected, atol=1e-2)


def test_channels_beside_the_colours_stay():
    images = noise(2, 16, 16, 5)
    out = to_numpy(augment.JPEGCompression(5)(images))
    np.testing.assert_array_equal(out[..., 3:], images[..., 3:])
    rgb = to_numpy(augment.JPEGCompression(5)(images[..., :3]))
    np.testing.assert_allclose(out[..., :3], rgb, atol=1e-3)
