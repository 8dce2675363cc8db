"""Layers that do nothing at inference, in models that are made integers."""

import keras
import numpy as np
import pytest

from perfkit import augment, compress
from perfkit import layers as ours
from perfkit.graph import resting
from tests.support.compressing import ON_TENSORFLOW

layers = keras.layers
pytestmark = pytest.mark.usefixtures("seeded")
X = np.random.default_rng(0).uniform(0, 255, (8, 12, 12, 3)).astype("float32")
NEEDS = {
    **dict.fromkeys(["RandomRotation", "RandomTranslation", "RandomZoom"], (0.2,)),
    **dict.fromkeys(["RandomBrightness", "RandomContrast", "RandomHue"], (0.5,)),
    **dict.fromkeys(["RandomSaturation", "RandomSharpness"], (0.5,)),
    **dict.fromkeys(["RandomColorDegeneration", "RandomPosterization"], (0.5,)),
    **dict.fromkeys(["Dropout", "SpatialDropout2D", "GaussianNoise"], (0.5,)),
    **dict.fromkeys(["SpatialDropout1D", "GaussianDropout"], (0.5,)),
    "RandomTranslation": (0.2, 0.2),
    "RandomPosterization": (4,),
}
PIPELINE = [augment.RandomFlip(), augment.RandomRotation(0.05), augment.RandomHue(0.2)]


@pytest.mark.parametrize("name", sorted(resting._NOISE | resting._AUGMENTATIONS))
def test_a_layer_of_keras_that_rests_does_nothing_at_inference(name):
    if not hasattr(layers, name):
        pytest.skip("this version of Keras has none")
    layer = getattr(layers, name)(*NEEDS.get(name, ()))
    x = X[:, 0] if name == "SpatialDropout1D" else X
    assert resting.rests(layer)
    np.testing.assert_array_equal(np.asarray(layer(x, training=False)), x)


def test_of_the_random_layers_of_keras_only_the_crop_does_not_rest():
    random = {name for name in dir(layers) if name.startswith("Random")}
    assert random - resting._AUGMENTATIONS == {"RandomCrop"}


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (augment.RandomFlip(), True),
        (augment.Pipeline(PIPELINE), True),
        (augment.RandAugment(), True),
        (augment.SomeOf(PIPELINE, 2), True),
        (augment.MixUp(), True),
        (augment.MixUp(classes=3), False),
        (augment.RandomCrop(8, 8), False),
        (augment.CenterCrop(8, 8), False),
        (augment.Pipeline([*PIPELINE, augment.Rescaling(2.0)]), False),
        (layers.RandomCrop(8, 8), False),
        (layers.CenterCrop(8, 8), False),
        (layers.Dense(3), False),
        (ours.DropBlock2D(0.1), False),  # it keeps channels, which says as much
    ],
)
def test_which_layers_rest_at_inference(layer, expected):
    assert resting.rests(layer) is expected


def network(*first):
    return keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            *first,
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )


@pytest.mark.parametrize(
    "first",
    [
        lambda: augment.Pipeline(PIPELINE),
        lambda: augment.RandomContrast(0.5),
        lambda: layers.RandomFlip(),
        lambda: keras.Sequential([layers.RandomRotation(0.1), layers.RandomZoom(0.1)]),
    ],
)
@pytest.mark.parametrize("aware", [False, True])
def test_augmentation_in_a_model_is_as_if_it_were_not_there(first, aware):
    model, plain = network(first()), network()
    plain.set_weights(model.get_weights()[-4:])
    found = []
    for one in (model, plain):
        if aware:
            small = compress.quantize_aware(one)
            small(X, training=False)
        else:
            small = compress.quantize(one, X, verbose=False)
        found.append(np.asarray(small(X, training=False)))
    np.testing.assert_array_equal(*found)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="a file")
def test_augmentation_is_not_in_a_file(tmp_path):
    model = network(augment.Pipeline(PIPELINE))
    small = compress.quantize(model, X, verbose=False)
    report = compress.export_tflite(small, tmp_path / "small.tflite", verbose=False)
    assert not report.floats
    file = compress.LiteModel(tmp_path / "small.tflite")
    expected = small.predict(X, verbose=0)
    np.testing.assert_allclose(file.predict(X), expected, atol=np.ptp(expected) / 20)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="a file")
def test_what_always_changes_images_stays_in_float(tmp_path):
    model = network(augment.CenterCrop(10, 10))
    with pytest.raises(ValueError, match=r"not so: center_crop\w* \(CenterCrop\)"):
        compress.quantize(model, X, verbose=False)
    small = compress.quantize(model, X, strict=False, verbose=False)
    path = tmp_path / "small.tflite"
    compress.export_tflite(small, path, strict=False, verbose=False)
    expected = small.predict(X, verbose=0)
    found = compress.LiteModel(path).predict(X)
    np.testing.assert_allclose(found, expected, atol=np.ptp(expected) / 20)


@pytest.mark.skipif(not ON_TENSORFLOW, reason="a file")
def test_what_is_moved_before_a_layer_in_float_is_float_there(tmp_path):
    inputs = keras.Input((12, 12, 3))
    x = layers.Reshape((25, 4))(layers.Conv2D(4, 3, 2, activation="relu")(inputs))
    x = layers.GlobalAveragePooling1D()(layers.MultiHeadAttention(2, 4)(x, x))
    model = keras.Model(inputs, layers.Dense(2)(x))
    small = compress.quantize(model, X, strict=False, verbose=False)
    path = tmp_path / "small.tflite"
    report = compress.export_tflite(small, path, strict=False, verbose=False)
    assert f"and {len(report.floats) - 3} others" in str(report)
    expected = small.predict(X, verbose=0)
    found = compress.LiteModel(path).predict(X)
    np.testing.assert_allclose(found, expected, atol=np.ptp(expected) / 20)
