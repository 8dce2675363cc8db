"""How small the files of MobileNetV2 at 96 pixels are, and how near to the network."""

import gzip

import keras
import pytest

from benchmarks.compressing import applications
from perfkit import compress
from tests.support.compressing import about_the_file, quantized, sqnr

pytestmark = [pytest.mark.slow, about_the_file]


@pytest.fixture(scope="module")
def network():
    return applications.network("MobileNetV2", 96)


@pytest.fixture(scope="module")
def images():
    """Some for calibration, and others to be seen."""
    x = applications.images("MobileNetV2", 64, 96)
    return x[:32], x[32:]


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")

    def written(name, model, **options):
        path = folder / f"{name}.tflite"
        return compress.export_tflite(model, path, verbose=False, **options).path

    return written


@pytest.fixture(scope="module")
def whole(write, network):
    return write("float", network).stat().st_size


@pytest.fixture(scope="module")
def int8(write, network, images):
    return write("int8", quantized(network, images[0]))


def test_an_int8_file_is_at_least_3_2_times_smaller(int8, whole):
    assert whole >= 3.2 * int8.stat().st_size


def test_half_of_the_channels_as_int8_are_at_least_8_times_smaller(
    write, network, images, whole
):
    small = compress.shrink(network, keep=0.5, verbose=False)
    path = write("half", quantized(small, images[0]))
    assert whole >= 8.0 * path.stat().st_size


def test_ninety_percent_zeros_as_int8_are_at_least_14_times_smaller_after_gzip(
    write, network, images, whole
):
    sparse = keras.models.clone_model(network)
    sparse.set_weights(network.get_weights())
    kinds = (keras.layers.Conv2D, keras.layers.Dense)  # and no depthwise ones
    where = [layer for layer in sparse.layers if type(layer) in kinds]
    compress.prune(sparse, 0.9, where=where)
    path = write("sparse", quantized(sparse, images[0]))
    assert whole >= 14.0 * len(gzip.compress(path.read_bytes()))


def test_an_int8_file_is_as_near_to_the_network_as_that_of_the_converter(
    write, network, images, int8
):
    calibration, x = images
    expected = network.predict(x, verbose=0)
    other = write("other", network, quantization="int8", data=calibration)
    ours, theirs = (
        sqnr(expected, compress.LiteModel(path).predict(x)) for path in (int8, other)
    )
    assert ours >= 40.0
    assert ours >= theirs
