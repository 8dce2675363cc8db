"""Linear colour operations, against NumPy, PIL and Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from perfkit import augment
from tests.oracles import drawn, noise, to_numpy

RANGES = [(0, 255), (0, 1), (-1, 1)]
LUMA = np.array([0.299, 0.587, 0.114])
every_range = pytest.mark.parametrize("value_range", RANGES)


def close(actual, expected, tolerance=2e-3):
    """To 1e-5 of the range: what float32 leaves of a sum of products."""
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


def within(value_range, batch=4, channels=3):
    low, high = value_range
    return noise(batch, 5, 6, channels, low=low, high=high)


# References: images NHWC, one parameter per image


def per_image(x):
    return np.asarray(x, "float64")[:, None, None, None]


def brightness(images, factor, value_range):
    return images + per_image(factor) * (value_range[1] - value_range[0])


def contrast(images, factor):
    mean = images.mean(axis=(1, 2), keepdims=True)
    return mean + (images - mean) * per_image(factor)


def saturation(images, factor):
    grey = (images @ LUMA)[..., None]
    strength = np.minimum(factor / np.maximum(1 - factor, 1e-2), 100)
    return grey + (images - grey) * per_image(strength)


def hue(images, turns):
    to_yiq = np.array(
        [LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]]
    )
    y, i, q = np.moveaxis(images @ to_yiq.T, -1, 0)
    chroma = (i + 1j * q) * np.exp(2j * np.pi * per_image(turns)[..., 0])
    turned = np.stack([y, chroma.real, chroma.imag], axis=-1)
    return turned @ np.linalg.inv(to_yiq).T


# Single operations


@every_range
def test_brightness_adds_a_fraction_of_the_range_and_cuts_off(value_range):
    images = within(value_range)
    layer = augment.RandomBrightness(0.6, value_range, seed=1)
    factor = drawn(layer, 4)["factor"]
    assert factor.min() < 0 < factor.max()
    expected = np.clip(brightness(images, factor, value_range), *value_range)
    close(layer(images), expected)


@every_range
def test_contrast_scales_the_distance_from_the_mean_and_cuts_off(value_range):
    images = within(value_range)
    layer = augment.RandomContrast((0.8, 0.9), value_range, seed=1)
    factor = drawn(layer, 4)["factor"]
    assert factor.min() < 1 < factor.max()
    close(layer(images), np.clip(contrast(images, factor), *value_range))


@pytest.mark.parametrize("factor", [(0.0, 0.0), (0.3, 0.3), (0.7, 0.7)])
def test_saturation_is_the_colour_enhancement_of_pil(factor):
    image = noise(5, 6, 3).astype("uint8")
    layer = augment.RandomSaturation(factor)
    strength = factor[0] / (1 - factor[0])
    expected = ImageEnhance.Color(Image.fromarray(image)).enhance(strength)
    # PIL rounds the grey, whose error is then scaled, and the result.
    rounding = 1.0 + 0.6 * abs(1 - strength)
    close(layer(image), np.asarray(expected, "float32"), rounding)


@every_range
def test_saturation_is_linear_about_the_grey_of_the_same_luma(value_range):
    images = within(value_range)
    layer = augment.RandomSaturation((0.1, 0.9), value_range, seed=1)
    factor = drawn(layer, 4)["factor"]
    close(layer(images), np.clip(saturation(images, factor), *value_range))


def test_saturation_ends_at_a_hundredfold():
    images = 127.0 + noise(1, 5, 6, 3, low=0.0, high=0.5)
    layer = augment.RandomSaturation((1.0, 1.0))
    close(layer(images), saturation(images, np.array([1.0])), 0.02)


@every_range
def test_hue_turns_the_chroma_of_yiq(value_range):
    images = within(value_range)
    layer = augment.RandomHue(1.0, value_range, seed=1)
    turns = drawn(layer, 4)["turns"]
    assert turns.min() < 0 < turns.max()
    close(layer(images), np.clip(hue(images, turns), *value_range))


def test_hue_keeps_the_luma_and_a_whole_turn_changes_nothing():
    images = noise(4, 5, 6, 3, low=120.0, high=130.0)
    turned = to_numpy(augment.RandomHue((0.5, 0.5))(images))
    close(turned @ LUMA, images @ LUMA)
    assert np.abs(turned - images).mean() > 1
    halves = [augment.RandomHue((1.0, 1.0)), augment.RandomHue((1.0, 1.0))]
    close(augment.Pipeline(halves)(images), images)


def test_grayscale_is_that_of_pil_and_of_keras():
    images = noise(4, 5, 6, 3)
    grey = to_numpy(augment.RandomGrayscale(1.0)(images))
    close(grey, to_numpy(keras.layers.RandomGrayscale(1.0)(images, training=True)), 0.1)
    pil = [Image.fromarray(image).convert("L") for image in images.astype("uint8")]
    expected = np.stack([np.asarray(image) for image in pil])[..., None]
    close(
        augment.RandomGrayscale(1.0)(images.astype("uint8")), expected.repeat(3, -1), 1
    )


def test_grayscale_takes_its_share_of_the_samples():
    images = noise(400, 2, 2, 3)
    grey = np.ptp(to_numpy(augment.RandomGrayscale(0.3, seed=1)(images)), axis=-1)
    share = (grey.max(axis=(1, 2)) < 1e-3).mean()
    assert abs(share - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 400)


@every_range
def test_degeneration_blends_with_the_grey_of_the_same_luma(value_range):
    images = within(value_range)
    layer = augment.RandomColorDegeneration(1.0, value_range, seed=1)
    share = per_image(drawn(layer, 4)["factor"])
    assert np.ptp(share) > 0.3
    grey = (images @ LUMA)[..., None]
    close(layer(images), images + share * (grey - images))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_degeneration_is_the_colour_enhancement_of_pil(share):
    image = noise(5, 6, 3).astype("uint8")
    expected = ImageEnhance.Color(Image.fromarray(image)).enhance(1 - share)
    layer = augment.RandomColorDegeneration((share, share))
    close(layer(image), np.asarray(expected, "float32"), 1.0 + 0.6 * share)


@every_range
def test_inversion_mirrors_the_range(value_range):
    images = within(value_range)
    expected = sum(value_range) - images
    close(augment.RandomInvert(value_range=value_range)(images), expected)


@pytest.mark.parametrize("offset", [-1.0, [1.0, 2.0, 3.0]])
def test_rescaling_is_that_of_keras(offset):
    images = noise(4, 5, 6, 3)
    expected = to_numpy(keras.layers.Rescaling(1 / 127.5, offset)(images))
    close(augment.Rescaling(1 / 127.5, offset)(images), expected, 1e-5)


# Normalization


class Batches(keras.utils.PyDataset):
    """Images in batches of 3, with labels."""

    def __init__(self, images):
        super().__init__()
        self.images = images

    def __len__(self):
        return -(-len(self.images) // 3)

    def __getitem__(self, index):
        images = self.images[3 * index : 3 * index + 3]
        return images, np.zeros(len(images))


SOURCES = {
    "an array": lambda images: images,
    "a tensor": lambda images: keras.ops.convert_to_tensor(images),
    "tf.data": lambda images: tf.data.Dataset.from_tensor_slices(images).batch(3),
    "pairs": lambda images: tf.data.Dataset.from_tensor_slices((images, images)).batch(
        3
    ),
    "a PyDataset": Batches,
    "a list": lambda images: [images[:3], images[3:]],
}


@pytest.mark.parametrize("source", SOURCES)
def test_statistics_are_those_of_numpy_over_all_of(source):
    images = noise(7, 5, 6, 3) + np.array([1e4, 0, -50], "float32")
    layer = augment.Normalization()
    layer.adapt(SOURCES[source](images))
    wide = images.astype("float64")
    np.testing.assert_allclose(layer.mean, wide.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(layer.variance, wide.var(axis=(0, 1, 2)), rtol=1e-9)


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("axis", [-1, None])
def test_normalization_is_that_of_keras(axis, invert):
    images = noise(7, 5, 6, 3)
    ours = augment.Normalization(axis=axis, invert=invert)
    theirs = keras.layers.Normalization(axis=axis, invert=invert)
    ours.adapt(images)
    theirs.adapt(images)
    close(ours(images), to_numpy(theirs(images)), 2e-4 if not invert else 0.1)
    if axis is None:
        np.testing.assert_allclose(ours.mean, [images.mean()], rtol=1e-5)


def test_channels_first_normalizes_channels():
    images = noise(4, 3, 5, 6)
    layer = augment.Normalization(axis=1, data_format="channels_first")
    layer.adapt(images)
    normalized = to_numpy(layer(images))
    close(normalized.mean(axis=(0, 2, 3)), 0.0, 1e-5)
    close(normalized.std(axis=(0, 2, 3)), 1.0, 1e-5)


def test_statistics_are_loaded_with_weights(tmp_path):
    def model(layer):
        return keras.Sequential([keras.Input((None, None, 3)), layer])

    images = noise(4, 5, 6, 3)
    adapted, fresh = augment.Normalization(), augment.Normalization()
    saved, loaded = model(adapted), model(fresh)  # built before the data are seen
    adapted.adapt([{"images": images}])
    saved.save_weights(tmp_path / "model.weights.h5")
    loaded.load_weights(tmp_path / "model.weights.h5")
    close(loaded(images), to_numpy(saved(images)), 1e-6)
    assert abs(to_numpy(loaded(images)).mean()) < 1e-3


def test_statistics_survive_saving(tmp_path):
    images = noise(4, 5, 6, 3)
    layer = augment.Normalization()
    layer.adapt(images)
    model = keras.Sequential([keras.Input((5, 6, 3)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(to_numpy(loaded(images)), to_numpy(layer(images)))
    close(to_numpy(loaded(images)).std(axis=(0, 1, 2)), 1.0, 1e-4)


def test_adapting_again_takes_effect_at_once():
    images = noise(4, 5, 6, 3)
    layer = augment.Normalization(mean=0.0, variance=1.0)
    pipeline = augment.Pipeline([layer])
    close(layer(images), images)
    close(pipeline(images), images)
    programs = layer.program_count
    layer.adapt([2.0 * images[:2], 2.0 * images[2:]])
    layer.adapt(images)
    for normalize in (layer, pipeline):
        close(to_numpy(normalize(images)).std(axis=(0, 1, 2)), 1.0, 1e-4)
    assert programs == 1


# Several at once


def jittered(images, params, value_range):
    """The four in their order, without a cut-off in between."""
    images = brightness(images, params["brightness"], value_range)
    images = contrast(images, params["contrast"])
    images = saturation(images, params["saturation"])
    return hue(images, params["hue"])


def jitter(value_range, **kwargs):
    factors = 0.5, 0.6, (0.3, 0.7), 0.4
    return augment.RandomColorJitter(value_range, *factors, seed=1, **kwargs)


@every_range
def test_jitter_is_the_four_in_their_order_and_cuts_off_once(value_range):
    images = within(value_range)
    layer = jitter(value_range)
    expected = jittered(images, drawn(layer, 4), value_range)
    cut = np.clip(expected, *value_range)
    assert np.abs(cut - expected).max() > 0.05 * np.ptp(value_range)
    close(layer(images), cut)


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_other_channels_have_no_hue_and_no_saturation(channels):
    images = within((0, 255), channels=channels)
    layer = jitter((0, 255))
    params = drawn(layer, 4)
    expected = brightness(images, params["brightness"], (0, 255))
    expected = contrast(expected, params["contrast"])
    if channels > 3:
        colours = hue(
            saturation(expected[..., :3], params["saturation"]), params["hue"]
        )
        expected = np.concatenate([colours, expected[..., 3:]], axis=-1)
    close(layer(images), np.clip(expected, 0, 255))


def test_jitter_of_nothing_is_nothing():
    images = within((0, 255))
    close(augment.RandomColorJitter()(images), images, 0)


def test_a_pipeline_of_colours_is_their_product():
    images = noise(4, 5, 6, 3, low=100.0, high=140.0)
    mean, deviation = np.array([0.1, -0.2, 0.0]), np.array([0.5, 0.25, 2.0])
    pipeline = augment.Pipeline(
        [
            augment.RandomBrightness((0.1, 0.1)),
            augment.RandomSaturation((0.6, 0.6)),
            augment.Rescaling(1 / 127.5, -1.0),
            augment.RandomGrayscale(1.0, rate=0.5),
            augment.Normalization(mean=mean.tolist(), variance=(deviation**2).tolist()),
        ],
        seed=1,
    )
    images64 = images.astype("float64")
    coloured = saturation(brightness(images64, [0.1] * 4, (0, 255)), np.full(4, 0.6))
    coloured = coloured / 127.5 - 1.0
    grey = (coloured @ LUMA)[..., None].repeat(3, axis=-1)
    choices = np.stack([coloured, grey])
    expected = (choices - mean) / deviation
    errors = np.abs(expected - to_numpy(pipeline(images))).max(axis=(2, 3, 4))
    close(errors.min(axis=0), 0.0, 1e-4)
    assert set(errors.argmin(axis=0)) == {0, 1}


def test_values_are_cut_off_once_where_the_range_changes():
    images = np.array([[[[10.0], [100.0], [250.0]]]], "float32")
    there_and_back = [
        augment.RandomBrightness((0.2, 0.2)),
        augment.RandomBrightness((-0.2, -0.2)),
    ]
    close(augment.Pipeline(there_and_back)(images), images)
    steps = augment.Pipeline(there_and_back, fused=False)(images)
    close(to_numpy(steps).ravel(), [10.0, 100.0, 204.0])
    rescaled = [there_and_back[0], augment.Rescaling(1 / 255)]
    rescaled = to_numpy(augment.Pipeline(rescaled)(images)).ravel()
    close(rescaled, [61 / 255, 151 / 255, 1.0])


def test_the_fill_goes_through_later_colours_only():
    images = np.full((1, 4, 4, 1), 200.0, "float32")
    shift = augment.RandomTranslation(0.0, (0.5, 0.5), "constant", fill_value=60.0)
    brighter = augment.RandomBrightness((0.1, 0.1))
    row = to_numpy(augment.Pipeline([shift, brighter])(images))[0, 0, :, 0]
    close(row, [85.5, 85.5, 225.5, 225.5])
    row = to_numpy(augment.Pipeline([brighter, shift])(images))[0, 0, :, 0]
    close(row, [60.0, 60.0, 225.5, 225.5])
    both = augment.Pipeline([brighter, shift, augment.RandomInvert(), brighter])
    row = to_numpy(both(images))[0, 0, :, 0]
    close(row, [220.5, 220.5, 55.0, 55.0])


@pytest.mark.parametrize("fused", [True, False])
def test_a_half_covered_pixel_blends_the_coloured_image_with_the_coloured_fill(fused):
    images = np.full((1, 1, 4, 3), 200.0, "float32")
    layers = [
        augment.RandomTranslation(0.0, (0.375, 0.375), "constant", fill_value=60.0),
        augment.RandomSaturation((0.2, 0.2)),
        augment.RandomBrightness((0.1, 0.1)),
    ]
    row = to_numpy(augment.Pipeline(layers, fused=fused)(images))[0, 0, :, 0]
    close(row, [85.5, 155.5, 225.5, 225.5])


def test_contrast_takes_the_mean_of_the_picture_as_it_stands():
    images = noise(4, 5, 6, 3, low=100.0, high=150.0)
    layers = [
        augment.RandomTranslation(0.0, (0.25, 0.25), "constant", fill_value=60.0),
        augment.RandomBrightness((0.1, 0.1)),
        augment.RandomHue((0.2, 0.2)),
        augment.RandomContrast((0.5, 0.5)),
    ]
    fused = augment.Pipeline(layers, seed=1)
    steps = augment.Pipeline(layers, seed=1, fused=False)
    close(fused(images), to_numpy(steps(images)), 1e-2)
    assert np.abs(to_numpy(steps(images)) - images).max() > 5


# Rate

RATED = {
    "brightness": lambda **kwargs: augment.RandomBrightness(0.5, seed=1, **kwargs),
    "contrast": lambda **kwargs: augment.RandomContrast(0.9, seed=1, **kwargs),
    "hue": lambda **kwargs: augment.RandomHue((0.3, 0.9), seed=1, **kwargs),
    "jitter": lambda **kwargs: jitter((0, 255), **kwargs),
    "inversion": lambda **kwargs: augment.RandomInvert(seed=1, **kwargs),
}
FACTORED = {
    "inversion": augment.RandomInvert(0.5, seed=1),
    "grayscale": augment.RandomGrayscale(0.5, seed=1),
    "perspective": augment.RandomPerspective(0.5, seed=1),
}


def untouched(outputs, images):
    """How many samples are the same to the last bit; the others differ a lot."""
    difference = np.abs(to_numpy(outputs) - images).max(axis=(1, 2, 3))
    assert difference[difference > 0].min() > 1
    return (difference == 0).sum()


@pytest.mark.parametrize("name", RATED)
def test_samples_not_selected_are_exactly_untouched_out_of_range_or_not(name):
    images = noise(32, 3, 3, 3, low=-100.0, high=400.0)
    assert 6 < untouched(RATED[name](rate=0.5)(images), images) < 26


@pytest.mark.parametrize("fused", [True, False])
def test_of_two_steps_either_alone_cuts_off(fused):
    images = np.full((32, 1, 1, 1), 400.0, "float32")
    layers = [augment.RandomBrightness((0.1, 0.1), rate=0.5) for _ in range(2)]
    outputs = to_numpy(augment.Pipeline(layers, fused=fused, seed=1)(images))
    assert set(np.unique(outputs)) == {255.0, 400.0}
    assert 2 < (outputs == 400.0).sum() < 14  # a quarter of 32


@pytest.mark.parametrize("name", FACTORED)
def test_samples_that_a_factor_leaves_out_are_exactly_untouched(name):
    images = noise(32, 3, 3, 3, low=-100.0, high=400.0)
    assert 6 < untouched(FACTORED[name](images), images) < 26
