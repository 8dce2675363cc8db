"""Pipelines agree with Keras's ImageDataGenerator."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit import augment
from tests.oracles import smooth

# Keras calls SciPy by a name of old.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
Generator = tf.keras.preprocessing.image.ImageDataGenerator
DRAWS = 400


def moved(arguments, draws):
    """A pipeline from arguments, and parameters with some of them as told."""
    pipeline = augment.from_image_data_generator(**arguments)
    params = pipeline.sample(1, seed=0)
    for layer, drawn in zip(pipeline.layers, params, strict=True):
        for name, value in draws.get(type(layer).__name__, {}).items():
            drawn[name][:] = value
    return pipeline, params


# Arguments, the generator's parameters, the same of our layers.
SHIFTS = {"width_shift_range": 0.2, "height_shift_range": 0.2}
PINNED = [
    ({"rotation_range": 20}, {"theta": 20}, {"RandomRotation": {"turns": 20 / 360}}),
    (
        {"rotation_range": 20, "fill_mode": "constant", "cval": 77.0},
        {"theta": -10},
        {"RandomRotation": {"turns": -10 / 360}},
    ),
    (
        {"rotation_range": 20, "fill_mode": "reflect", "interpolation_order": 0},
        {"theta": -10},
        {"RandomRotation": {"turns": -10 / 360}},
    ),
    (
        {"zoom_range": 0.2},
        {"zx": 0.8, "zy": 1.2},
        {"RandomZoom": {"width": -0.2, "height": 0.2}},
    ),
    # `tx` goes sideways, though it comes from `height_shift_range`.
    (
        SHIFTS,
        {"tx": 6.0, "ty": 3.0},
        {"RandomTranslation": {"width": -0.1, "height": -0.05}},
    ),
    (
        {"shear_range": 20},
        {"shear": 3},
        {"RandomShear": {"x": np.tan(np.radians(3)), "y": 0}},
    ),
    ({"horizontal_flip": True}, {"flip_horizontal": True}, {"RandomFlip": {"x": -1}}),
    ({"vertical_flip": True}, {"flip_vertical": True}, {"RandomFlip": {"y": -1}}),
    (
        {"channel_shift_range": 20.0},
        {"channel_shift_intensity": 10.0},
        {"RandomBrightness": {"factor": 10 / 255}},
    ),
    ({"brightness_range": (0.5, 1.5)}, {"brightness": 0.7}, {"Gain": {"factor": 0.7}}),
    ({"brightness_range": (0.5, 1.5)}, {"brightness": 1.4}, {"Gain": {"factor": 1.4}}),
    (
        {"rotation_range": 20, "zoom_range": 0.2, "horizontal_flip": True, **SHIFTS},
        {
            "theta": 9,
            "zx": 0.9,
            "zy": 1.1,
            "tx": 6.0,
            "ty": 3.0,
            "flip_horizontal": True,
        },
        {
            "RandomRotation": {"turns": 9 / 360},
            "RandomZoom": {"width": -0.1, "height": 0.1},
            "RandomTranslation": {"width": -0.1, "height": -0.05},
            "RandomFlip": {"x": -1},
        },
    ),
]


@pytest.mark.parametrize(
    ("arguments", "theirs", "ours"), PINNED, ids=["-".join(row[0]) for row in PINNED]
)
def test_pinned_transform_agrees(arguments, theirs, ours):
    image = np.round(20 + 0.8 * smooth(1, 60, 60, 3)[0])
    pipeline, params = moved(arguments, ours)
    expected = Generator(**arguments).apply_transform(image, theirs)
    error = np.abs(pipeline.on_host(image[None], params)[0] - expected)[12:-12, 12:-12]
    assert error.max() < (1.0 if "brightness_range" in arguments else 0.05) or (
        "shear_range" in arguments and error.mean() < 0.5
    )


@pytest.mark.parametrize(
    ("arguments", "theirs", "name", "convert"),
    [
        ({"rotation_range": 30}, "theta", "turns", lambda x: 360 * x),
        ({"zoom_range": (0.7, 1.1)}, "zx", "width", lambda x: 1 + x),
        ({"zoom_range": (0.7, 1.1)}, "zy", "height", lambda x: 1 + x),
        ({"height_shift_range": 0.2}, "tx", "height", lambda x: 50 * x),
        ({"width_shift_range": 0.2}, "ty", "width", lambda x: 50 * x),
        ({"width_shift_range": 7.5}, "ty", "width", lambda x: 50 * x),
        ({"width_shift_range": 8}, "ty", "width", lambda x: 50 * x),
        ({"shear_range": 15}, "shear", "x", lambda x: np.degrees(np.arctan(x))),
        (
            {"channel_shift_range": 30.0},
            "channel_shift_intensity",
            "factor",
            lambda x: 255 * x,
        ),
        ({"brightness_range": (0.5, 1.2)}, "brightness", "factor", lambda x: x),
    ],
)
def test_draws_have_the_same_range_and_mean(arguments, theirs, name, convert):
    generator = Generator(**arguments)
    np.random.seed(0)  # noqa: NPY002, what the generator draws from
    expected = np.array(
        [generator.get_random_transform((50, 50, 3))[theirs] for _ in range(DRAWS)]
    )
    pipeline = augment.from_image_data_generator(**arguments, image_size=(50, 50))
    received = convert(pipeline.layers[0].sample(DRAWS, seed=1)[name])
    width = np.ptp(expected)
    assert abs(expected.min() - received.min()) < 0.05 * width
    assert abs(expected.max() - received.max()) < 0.05 * width
    assert abs(expected.mean() - received.mean()) < 0.12 * width


@pytest.mark.parametrize("scaled", [True, False])
def test_fitted_generator_is_taken_over(scaled):
    images = smooth(4, 20, 20, 3)
    generator = Generator(
        rescale=1 / 255,
        featurewise_center=True,
        featurewise_std_normalization=scaled,
    )
    generator.fit(images)
    pipeline = augment.from_image_data_generator(generator)
    expected = np.stack([generator.standardize(image.copy()) for image in images])
    np.testing.assert_allclose(pipeline.on_host(images), expected, atol=1e-4)


def test_generator_and_arguments_make_the_same():
    arguments = {
        "rotation_range": 10,
        "zoom_range": 0.1,
        "vertical_flip": True,
        "horizontal_flip": True,
        "rescale": 0.5,
        "data_format": "channels_first",
        "dtype": "float16",
    }
    first = augment.from_image_data_generator(Generator(**arguments), seed=3)
    second = augment.from_image_data_generator(**arguments, seed=3)
    images, params = smooth(2, 16, 16, 3).transpose(0, 3, 1, 2), first.sample(2, seed=1)
    out = first.on_host(images, params)
    assert (first.compute_dtype, first.data_format) == ("float16", "channels_first")
    assert out.shape == images.shape
    np.testing.assert_array_equal(out, second.on_host(images, params))


def test_saved_pipeline_does_the_same():
    pipeline = augment.from_image_data_generator(brightness_range=(0.5, 1.5), seed=3)
    config = keras.saving.serialize_keras_object(pipeline)
    again = keras.saving.deserialize_keras_object(config)
    images = smooth(2, 16, 16, 3)
    out = again.on_host(images, seed=2)
    np.testing.assert_array_equal(out, pipeline.on_host(images, seed=2))


def test_no_arguments_change_nothing():
    images = smooth(1, 8, 8, 3)
    pipeline = augment.from_image_data_generator(seed=1)
    np.testing.assert_array_equal(pipeline.on_host(images), images)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"zca_whitening": True}, "`zca_whitening`"),
        ({"preprocessing_function": abs}, "`preprocessing_function`"),
        ({"samplewise_center": True}, "`samplewise_center`"),
        ({"samplewise_std_normalization": True}, "`samplewise_std_normalization`"),
        ({"featurewise_center": True}, "after its `fit`"),
        ({"validation_split": 0.2}, "Split the data"),
        ({"width_shift_range": 4}, "image_size"),
        ({"height_shift_range": [1, 2]}, "`height_shift_range`"),
        ({"interpolation_order": 3}, "interpolation_order=3"),
        ({"rotation_range": 10, "fill_mode": "mirror"}, "fill_mode='mirror'"),
        ({"rotation_range": 400}, "RandomRotation"),
        ({"brightness_range": (1.2, 0.8)}, "factor"),
    ],
)
def test_what_has_no_equivalent_is_named(arguments, words):
    with pytest.raises(ValueError, match="`from_image_data_generator`") as error:
        augment.from_image_data_generator(**arguments)
    assert words in str(error.value)


def test_other_objects_and_arguments_are_named():
    with pytest.raises(ValueError, match="Pass an `ImageDataGenerator`"):
        augment.from_image_data_generator(object())
    with pytest.raises(TypeError, match="rotation_angle"):
        augment.from_image_data_generator(rotation_angle=3)
    with pytest.raises(TypeError, match="rescale"):
        augment.from_image_data_generator(Generator(), rescale=3)
