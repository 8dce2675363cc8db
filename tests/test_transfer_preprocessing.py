"""What a backbone wants done to pixels is found, and is what Keras does."""

import keras
import numpy as np
import pytest

from perfkit import transfer

APPLICATIONS = keras.applications
PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 4, 5, 3)).astype("float32")


def built(name, **arguments):
    size = {"NASNetMobile": 32, "Xception": 71, "InceptionV3": 75}.get(name, 32)
    arguments = {"input_shape": (size, size, 3), "weights": None, **arguments}
    return getattr(APPLICATIONS, name)(include_top=False, **arguments)


SMALL = {
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Small": "mobilenet_v3",
    "VGG16": "vgg16",
}
LARGE = {
    "ConvNeXtTiny": "convnext",
    "DenseNet121": "densenet",
    "EfficientNetB0": "efficientnet",
    "EfficientNetV2B0": "efficientnet_v2",
    "EfficientNetV2S": "efficientnet_v2",
    "InceptionResNetV2": "inception_resnet_v2",
    "InceptionV3": "inception_v3",
    "MobileNetV3Large": "mobilenet_v3",
    "NASNetMobile": "nasnet",
    "ResNet50": "resnet",
    "ResNet50V2": "resnet_v2",
    "VGG19": "vgg19",
    "Xception": "xception",
}
ROWS: list = list(SMALL.items())
if keras.backend.backend() == "tensorflow":  # names are the same on every backend
    ROWS += [pytest.param(*row, marks=pytest.mark.slow) for row in LARGE.items()]


@pytest.mark.parametrize(("name", "module"), ROWS)
def test_keras_applications_get_what_keras_does_to_their_pixels(name, module):
    if name == "InceptionResNetV2":
        model = built(name, input_shape=(75, 75, 3))
    else:
        model = built(name)
    layer, reason = transfer.preprocessing_of(model)
    expected = getattr(APPLICATIONS, module).preprocess_input(PIXELS.copy())
    found = keras.ops.convert_to_numpy(layer(PIXELS))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-4)
    assert model.name in reason


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe", "none"])
def test_channels_first_is_the_same_transposed(mode):
    last = transfer.Preprocessing(mode, data_format="channels_last")(PIXELS)
    first = transfer.Preprocessing(mode, data_format="channels_first")(
        PIXELS.transpose(0, 3, 1, 2)
    )
    last, first = map(keras.ops.convert_to_numpy, (last, first))
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)


@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_bytes_are_prepared_as_the_same_floats(mode):
    pixels = PIXELS.astype("uint8")
    layer = transfer.Preprocessing(mode)
    of_bytes = keras.ops.convert_to_numpy(layer(pixels))
    of_floats = keras.ops.convert_to_numpy(layer(pixels.astype("float32")))
    np.testing.assert_array_equal(of_bytes, of_floats)


def test_a_model_made_without_its_rescaling_is_an_error():
    model = built("MobileNetV3Small", include_preprocessing=False)
    with pytest.raises(ValueError, match="made without its layers that rescale"):
        transfer.preprocessing_of(model)


def test_an_unknown_model_of_pictures_is_an_error_that_says_what_to_do():
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 3)(inputs), name="mine")
    with pytest.raises(ValueError, match=r"preprocessing=.*Received: backbone='mine'"):
        transfer.preprocessing_of(model)


def test_a_name_does_not_outweigh_a_rescaling_inside():
    inputs = keras.Input((8, 8, 3))
    outputs = keras.layers.Conv2D(2, 3)(keras.layers.Rescaling(1 / 255)(inputs))
    layer, _ = transfer.preprocessing_of(keras.Model(inputs, outputs, name="vgg16"))
    assert layer.mode == "none"


@pytest.mark.parametrize("shape", [(7,), (5, 4), (8, 8, 1)])
def test_what_takes_no_pictures_of_three_channels_wants_nothing(shape):
    model = keras.Sequential([keras.Input(shape), keras.layers.Dense(2)])
    layer, reason = transfer.preprocessing_of(model)
    assert layer.mode == "none"
    assert "does not take pictures" in reason


def test_config_round_trip():
    layer = transfer.Preprocessing("caffe", data_format="channels_first", name="p")
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert again.mode == "caffe"
    assert again.data_format == "channels_first"


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"Preprocessing\(mode=...\).*'imagenet'"):
        transfer.Preprocessing("imagenet")
    with pytest.raises(ValueError, match=r"Preprocessing\(data_format=...\)"):
        transfer.Preprocessing("tf", data_format="nhwc")
    with pytest.raises(TypeError, match=r"preprocessing_of\(backbone=...\)"):
        transfer.preprocessing_of("resnet50")
