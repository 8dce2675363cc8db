"""What the image layers of Keras 3.15.1 get wrong is right here.

The tests are numbered like the list of defects that this library keeps of Keras.
They say what is right and nothing of Keras, which may mend its own; the last one runs
them on Keras's layers.
"""

import os
import re
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit import augment
from tests import oracles
from tests.oracles import noise, to_numpy

pytestmark = pytest.mark.slow
PYTEST = (sys.executable, "-m", "pytest")

OF_KERAS = "PERFKIT_TEST_DEFECTS_OF_KERAS"


class _OfKeras:
    """Keras's layers under the names of ours, where it has them."""

    def __getattr__(self, name, ours=augment):
        return getattr(keras.layers, name, None) or getattr(ours, name)


if OF_KERAS in os.environ:
    augment = _OfKeras()


@pytest.fixture(params=["mixed_float16", "mixed_bfloat16"])
def half(request):
    """A global policy of half precision."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param.removeprefix("mixed_")
    keras.config.set_dtype_policy(before)


def one_batch(data, layer):
    """What a layer makes of one batch inside `tf.data`."""
    dataset = tf.data.Dataset.from_tensor_slices(data).batch(len(data["images"]))
    return next(iter(dataset.map(layer)))


def one_box(corners, layer_images, labels=1):
    boxes = np.tile(np.array([[corners]], "float32"), (len(layer_images), 1, 1))
    labels = np.full((len(layer_images), 1), labels, "int32")
    return {
        "images": layer_images,
        "bounding_boxes": {"boxes": boxes, "labels": labels},
    }


def test_01_random_flip_has_a_coin_for_each_axis():
    images = np.arange(4, dtype="float32").reshape(1, 2, 2, 1).repeat(2000, axis=0)
    flipped = to_numpy(augment.RandomFlip(seed=1)(images)).reshape(2000, 4)
    outcomes, counts = np.unique(flipped, axis=0, return_counts=True)
    assert outcomes.tolist() == [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    assert abs(counts - 500).max() < 4 * np.sqrt(2000 * 3 / 16)


def test_05_equalization_has_a_histogram_for_each_image():
    images = noise(2, 40, 40, 1).astype("uint8")
    images[0] //= 4
    layer = augment.Equalization()
    both, alone = to_numpy(layer(images)), to_numpy(layer(images[:1]))
    np.testing.assert_array_equal(both[:1], alone)
    assert alone.min() == 0
    assert alone.max() == 255


def places(batch, height, width):
    """Images whose every pixel holds its own place, so that they say where it went."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.tile(np.stack([x, y], axis=-1), (batch, 1, 1, 1)).astype("float32")


def test_02_elastic_transform_keeps_the_images_of_a_batch_apart():
    values = 10 * np.arange(8, dtype="float32")
    images = np.ones((8, 16, 16, 3), "float32") * values[:, None, None, None]
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8)
    bent = next(iter(dataset.map(augment.RandomElasticTransform())))
    np.testing.assert_allclose(np.array(bent), images, atol=1e-3)


def test_03_elastic_transform_bends_masks_like_images():
    images = np.zeros((8, 32, 32, 1), "float32")
    images[:, 8:20, 10:26] = 1
    layer = augment.RandomElasticTransform(interpolation="nearest", seed=1)
    bent = to_numpy(layer({"images": images, "segmentation_masks": images}))
    assert np.abs(bent["images"] - images).mean() > 0.01
    np.testing.assert_array_equal(bent["segmentation_masks"], bent["images"])


def test_04_elastic_transform_draws_x_and_y_apart():
    layer = augment.RandomElasticTransform(fill_mode="nearest", seed=1)
    shift = to_numpy(layer(places(64, 48, 48))) - places(64, 48, 48)
    inner = shift[:, 12:-12, 12:-12].reshape(-1, 2)
    assert inner.std() > 0.5
    assert abs(np.corrcoef(inner.T)[0, 1]) < 0.1


@pytest.mark.parametrize("name", ["saturation", "jitter"])
def test_06_saturation_stays_within_the_value_range(name):
    layer = {
        "saturation": augment.RandomSaturation((0.9, 0.9), value_range=(0, 255)),
        "jitter": augment.RandomColorJitter((0, 255), saturation_factor=(0.9, 0.9)),
    }[name]
    images = noise(64, 8, 8, 3)
    colourful = to_numpy(layer(images))
    assert colourful.min() == 0
    assert colourful.max() == 255
    muted = np.ptp(images, axis=-1) < np.ptp(colourful, axis=-1)
    assert muted.mean() > 0.9


def test_07_brightness_of_uint8_does_not_wrap_around():
    images = np.full((8, 4, 4, 3), 200, "uint8")
    brighter = to_numpy(augment.RandomBrightness((0.5, 0.5))(images))
    darker = to_numpy(augment.RandomBrightness((-1.0, -1.0), dtype="uint8")(images))
    assert np.unique(brighter).tolist() == [255]
    assert np.unique(darker).tolist() == [0]


def test_08_contrast_takes_uint8():
    images = noise(4, 8, 8, 3).astype("uint8")
    layer = augment.RandomContrast(0.5, seed=1)
    twin = augment.RandomContrast(0.5, seed=1)
    expected = to_numpy(twin(images.astype("float32")))
    np.testing.assert_allclose(to_numpy(layer(images)), expected, atol=1e-3)


def test_09_perspective_moves_all_four_corners():
    layer = augment.RandomPerspective(1.0, seed=1, scale=0.5)
    corners = np.array([[0, 0], [32, 0], [32, 32], [0, 32]], "float32")
    points = np.tile(corners, (1000, 1, 1))
    data = {"images": np.zeros((1000, 32, 32, 1), "uint8"), "keypoints": points}
    shift = np.abs(to_numpy(layer(data))["keypoints"] - points)
    # Uniform within 32 * 0.5 / 4 pixels, each axis of each corner alike.
    np.testing.assert_allclose(shift.mean(axis=0), 2.0, atol=4 * 4 / np.sqrt(12e3))
    assert shift.max() < 4.001


def test_10_boxes_come_back_from_perspective_in_their_format():
    layer = augment.RandomPerspective(0.0, bounding_box_format="xywh")
    data = one_box([10, 10, 5, 5], np.zeros((1, 32, 32, 3), "float32"))
    boxes = to_numpy(layer(data))["bounding_boxes"]["boxes"]
    np.testing.assert_allclose(boxes, [[[10, 10, 5, 5]]], atol=1e-4)


def test_11_boxes_are_rotated_in_their_format():
    layer = augment.RandomRotation((0.25, 0.25), bounding_box_format="xywh")
    data = one_box([2, 4, 10, 6], np.zeros((1, 32, 32, 3), "float32"))
    boxes = to_numpy(layer(data))["bounding_boxes"]["boxes"]
    np.testing.assert_allclose(boxes, [[[4, 20, 6, 10]]], atol=1e-4)


def test_12_boxes_are_sheared_like_pixels():
    images = np.zeros((16, 96, 128, 1), "float32")
    images[:, 30:50, 40:70] = 1
    layer = augment.RandomShear(
        0.3, 0.3, fill_mode="constant", bounding_box_format="xyxy", seed=1
    )
    outputs = to_numpy(layer(one_box([40, 30, 70, 50], images)))
    for picture, box in zip(
        outputs["images"][..., 0], outputs["bounding_boxes"]["boxes"][:, 0], strict=True
    ):
        rows, columns = np.where(picture > 0.1)
        hull = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box, hull, atol=1.5)


def detection():
    return {
        "images": np.zeros((4, 8, 8, 3), "float32"),
        "labels": np.eye(4, dtype="float32"),
        "bounding_boxes": {
            "boxes": np.tile(
                np.array([[0, 0, 4, 4], [1, 1, 8, 8]], "float32"), (4, 1, 1)
            ),
            "labels": np.ones((4, 2), "int32"),
        },
    }


@pytest.mark.parametrize("mixer", [augment.MixUp, augment.CutMix])
def test_13_mixed_boxes_have_a_label_each(mixer):
    boxes = one_batch(detection(), mixer(bounding_box_format="xyxy"))["bounding_boxes"]
    assert tuple(boxes["boxes"].shape) == (4, 4, 4)
    assert tuple(boxes["labels"].shape) == (4, 4)


@pytest.mark.parametrize("mixer", [augment.Mosaic, augment.CopyPaste])
def test_13_pasted_boxes_have_a_label_each(mixer):
    data = detection()
    data["segmentation_masks"] = np.ones((4, 8, 8, 1), "int32")
    boxes = one_batch(data, mixer(bounding_box_format="xyxy"))["bounding_boxes"]
    tiles = 4 if mixer is augment.Mosaic else 2
    assert tuple(boxes["boxes"].shape) == (4, 2 * tiles, 4)
    assert tuple(boxes["labels"].shape) == (4, 2 * tiles)


def test_14_mixed_masks_keep_their_shape():
    masks = noise(4, 8, 8, 1, high=1.0)
    data = {"images": noise(4, 8, 8, 3), "segmentation_masks": masks}
    for layer in (augment.MixUp(), augment.CutMix(), augment.Mosaic()):
        assert tuple(layer(data)["segmentation_masks"].shape) == masks.shape


def test_15_aug_mix_draws_its_operations_anew_at_each_call():
    # Equal columns: what moves pixels along the rows leaves them as they are.
    column = 60.0 + 4.0 * np.arange(32, dtype="float32")
    images = np.broadcast_to(column[:, None, None], (64, 32, 32, 3))
    layer = augment.AugMix(num_chains=1, chain_depth=1, all_ops=False, seed=1)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(1).map(layer)
    changed = [
        np.abs(to_numpy(image) - images[:1])[:, 8:-8, 8:-8].max() > 0.1
        for image in dataset
    ]
    assert 0.3 < np.mean(changed) < 0.95


@pytest.mark.slow
def test_15_aug_mix_goes_by_its_seed():
    images = noise(8, 12, 12, 3)
    dataset = tf.data.Dataset.from_tensor_slices(images).batch(8)
    first, again, other = [
        to_numpy(
            next(
                iter(
                    dataset.map(augment.AugMix(num_chains=1, chain_depth=1, seed=seed))
                )
            )
        )
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).mean() > 1.0


def test_16_rand_augment_goes_both_ways_and_keeps_four_bits():
    images = np.full((2000, 1, 1, 3), 100.0, "float32")
    greys = to_numpy(augment.RandAugment(num_ops=1, seed=1)(images))[:, 0, 0, 0]
    assert greys[greys > 1].min() > 100 * (1 - 0.5 * 0.9) - 0.5  # half the strength
    assert ((greys > 45) & (greys < 90)).mean() > 0.01  # darker
    assert ((greys > 110) & (greys < 150)).mean() > 0.01  # and brighter
    assert not np.isin(greys, [0, 32, 64]).any()  # of 1 to 3 bits


def test_16_rand_augment_turns_and_shifts_both_ways():
    line = np.zeros((2000, 1, 41, 1), "float32")
    line[:, :, 20] = 255.0
    shown = to_numpy(augment.RandAugment(num_ops=1, seed=1)(line))[:, 0, :, 0]
    place = shown.argmax(axis=1)[(shown.max(axis=1) > 100) & (shown.min(axis=1) < 20)]
    assert (place < 18).mean() > 0.01
    assert (place > 22).mean() > 0.01
    tall = np.zeros((2000, 41, 41, 1), "float32")
    tall[:, 18:23] = np.linspace(200, 255, 5).reshape(5, 1, 1)
    points = np.tile(np.array([[[40.5, 20.5]]], "float32"), (2000, 1, 1))
    data = {"images": tall, "keypoints": points}
    moved = to_numpy(augment.RandAugment(num_ops=1, seed=1)(data)["keypoints"])
    turned = moved[:, 0][np.abs(moved[:, 0, 0] - 40.5) > 0.2]  # nearer to the middle
    assert (turned[:, 1] < 20).any()
    assert (turned[:, 1] > 21).any()
    assert np.abs(moved[:, 0, 1] - 20.5).max() < 20.0  # 15 degrees, not 180


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_17_the_factor_of_invert_is_a_probability(factor):
    images = np.zeros((4000, 1, 1, 3), "float32")
    inverted = to_numpy(augment.RandomInvert(factor, seed=1)(images)) > 0
    deviation = np.sqrt(factor * (1 - factor) / 4000)
    assert abs(inverted.any(axis=(1, 2, 3)).mean() - factor) <= 4 * deviation


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_17_the_factor_of_perspective_is_a_probability(factor):
    data = {
        "images": np.zeros((4000, 2, 2, 1), "float32"),
        "keypoints": np.ones((4000, 1, 2), "float32") * 0.5,
    }
    points = to_numpy(augment.RandomPerspective(factor, seed=1)(data))["keypoints"]
    moved = (np.abs(points - 0.5) > 1e-5).any(axis=(1, 2))
    deviation = np.sqrt(factor * (1 - factor) / 4000)
    assert abs(moved.mean() - factor) <= 4 * deviation


def test_18_both_ends_of_the_factors_of_solarization_are_fractions():
    images = np.arange(256, dtype="uint8").reshape(1, 256, 1, 1).repeat(200, axis=0)
    layer = augment.Solarization(threshold_factor=(0.5, 0.5))
    expected = np.where(images < 127.5, images, 255 - images)
    np.testing.assert_array_equal(to_numpy(layer(images)), expected)
    brighter = augment.Solarization((0.5, 0.5), (1.0, 1.0))(images[:, :100])
    np.testing.assert_array_equal(to_numpy(brighter), images[:, :100] + 127.5)


@pytest.mark.parametrize("op", [augment.AutoContrast, augment.CLAHE])
def test_19_contrast_is_left_alone_at_inference(op):
    images = noise(2, 8, 8, 3, low=50.0, high=100.0)
    assert np.abs(to_numpy(op()(images)) - images).max() > 1
    np.testing.assert_array_equal(to_numpy(op()(images, training=False)), images)


@pytest.mark.parametrize("op", [augment.AutoContrast, augment.CLAHE])
def test_20_contrast_takes_the_channels_where_they_are(op):
    images = noise(2, 8, 8, 3, low=50.0, high=100.0)
    expected = to_numpy(op(seed=1)(images)).transpose(0, 3, 1, 2)
    first = op(data_format="channels_first", seed=1)
    outputs = to_numpy(first(images.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(outputs, expected, atol=1e-3)


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_17_the_factor_of_gaussian_blur_is_a_probability(factor):
    images = noise(4000, 2, 2, 1)
    layer = augment.RandomGaussianBlur(factor, sigma=(1.0, 1.0), seed=1)
    blurred = (to_numpy(layer(images)) != images).any(axis=(1, 2, 3))
    deviation = np.sqrt(factor * (1 - factor) / 4000)
    assert abs(blurred.mean() - factor) <= 4 * deviation


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_17_the_factor_of_elastic_transform_is_a_probability(factor):
    images = np.tile(np.arange(4, dtype="float32")[:, None, None], (4000, 1, 4, 1))
    layer = augment.RandomElasticTransform(factor, (0.5, 1.0), seed=1)
    bent = np.abs(to_numpy(layer(images)) - images).max(axis=(1, 2, 3)) > 1e-6
    deviation = np.sqrt(factor * (1 - factor) / 4000)
    assert abs(bent.mean() - factor) <= 4 * deviation


@pytest.mark.parametrize("factor", [1.0, 0.3])
def test_17_the_factor_of_erasing_is_a_probability(factor):
    images = np.ones((4000, 4, 4, 1), "float32")
    erased = to_numpy(augment.RandomErasing(factor, fill_value=0.0, seed=1)(images))
    deviation = np.sqrt(factor * (1 - factor) / 4000)
    changed = (erased == 0).any(axis=(1, 2, 3))
    assert abs(changed.mean() - factor) <= 4 * deviation


def test_21_random_crop_crops_at_inference():
    images = noise(2, 16, 16, 3)
    cropped = to_numpy(augment.RandomCrop(8, 8)(images, training=False))
    np.testing.assert_array_equal(cropped, images[:, 4:12, 4:12])


def test_22_random_crop_has_a_window_for_each_image():
    images = np.arange(16, dtype="float32").reshape(1, 4, 4, 1).repeat(64, axis=0)
    crops = to_numpy(augment.RandomCrop(2, 2, seed=1)(images)).reshape(64, -1)
    assert len(np.unique(crops, axis=0)) == 9


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_23_sharpness_keeps_the_edges_as_bright(factor):
    images = np.full((2, 8, 8, 3), 100, "uint8")
    outputs = to_numpy(augment.RandomSharpness((factor, factor))(images))
    np.testing.assert_allclose(outputs, 100.0, atol=1e-3)


def test_23_gaussian_blur_keeps_the_brightness_of_the_border():
    images = np.full((4, 8, 8, 3), 100.0, "float32")
    layer = augment.RandomGaussianBlur(kernel_size=5, sigma=(3.0, 3.0))
    np.testing.assert_allclose(to_numpy(layer(images)), 100.0, rtol=1e-5)


def test_24_gaussian_blur_has_channels_last_by_default_on_every_backend():
    image = noise(9, 12, 3)
    layer = augment.RandomGaussianBlur(sigma=(1.0, 1.0))
    expected = cv2.GaussianBlur(image, (3, 3), 1.0, borderType=cv2.BORDER_DEFAULT)
    np.testing.assert_allclose(to_numpy(layer(image)), expected, atol=1e-2)


def test_25_wrap_is_the_same_on_every_backend():
    images = noise(4, 9, 12, 3, high=1.0)
    layer = augment.RandomRotation((0.1, 0.1), fill_mode="wrap")
    matrices = [oracles.rotation(0.1, 9, 12)] * 4
    expected = oracles.warped(images, matrices, (9, 12), "bilinear", "wrap")
    np.testing.assert_allclose(to_numpy(layer(images)), expected, atol=1e-4)


def labelled():
    labels = np.array([0, 2049, 40001, 16777217])
    return {"images": noise(4, 8, 8, 3), "labels": labels}


def test_26_labels_keep_their_dtype_in_tf_data():
    labels = one_batch(labelled(), augment.RandomFlip())["labels"]
    assert labels.dtype == tf.int64
    np.testing.assert_array_equal(labels, labelled()["labels"])


@pytest.mark.usefixtures("half")
def test_26_labels_keep_their_dtype_in_half_precision():
    labels = one_batch(labelled(), augment.RandomFlip())["labels"]
    assert labels.dtype == tf.int64
    np.testing.assert_array_equal(labels, labelled()["labels"])


def test_27_grayscale_takes_a_dict_and_keeps_its_seed():
    data = {"images": noise(4, 8, 8, 3), "labels": np.arange(4)}
    grey = to_numpy(augment.RandomGrayscale(1.0)(data))
    assert np.ptp(grey["images"], axis=-1).max() < 1e-3
    np.testing.assert_array_equal(grey["labels"], np.arange(4))
    assert augment.RandomGrayscale(0.5, seed=1).get_config()["seed"] == 1


def test_28_shear_of_one_number_is_restored_and_loaded(tmp_path):
    layer = augment.RandomShear(0.3, 0.3, seed=1)
    twin = augment.RandomShear.from_config(layer.get_config())
    images = noise(2, 8, 8, 3)
    np.testing.assert_array_equal(to_numpy(layer(images)), to_numpy(twin(images)))
    model = keras.Sequential([keras.Input((8, 8, 3)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[-1].x_factor == (0.0, 0.3)


@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize("name", ["hue", "saturation", "grayscale", "degeneration"])
def test_29_colour_layers_take_any_number_of_channels(name, channels):
    layer = {
        "hue": augment.RandomHue((0.5, 0.5)),
        "saturation": augment.RandomSaturation((0.2, 0.2)),
        "grayscale": augment.RandomGrayscale(1.0),
        "degeneration": augment.RandomColorDegeneration((0.8, 0.8)),
    }[name]
    images = noise(4, 8, 8, channels)
    outputs = to_numpy(layer(images))
    changed = np.abs(outputs - images).max(axis=(0, 1, 2)) > 1
    assert changed.tolist() == [channels == 6] * min(channels, 3) + [False] * (
        channels - 3
    )


def test_30_noise_that_erases_is_not_cut_off():
    images = np.full((64, 32, 32, 3), 300.0, "float32")
    erased = to_numpy(augment.RandomErasing(scale=(0.3, 0.3), seed=1)(images))
    noisy = erased[(erased != 300.0).all(axis=-1)].ravel()
    assert noisy.size > 30_000
    assert 0 <= noisy.min() < noisy.max() <= 255
    for end in (0, 255):
        assert (noisy == end).mean() < 0.006  # one of 256 levels
    counts = np.histogram(noisy, bins=8, range=(0, 255))[0]
    np.testing.assert_allclose(counts / noisy.size, 1 / 8, atol=0.01)


@pytest.mark.parametrize("mixer", [augment.MixUp, augment.CutMix, augment.Mosaic])
def test_mixing_runs_in_half_precision(mixer, half):
    data = detection()
    data["images"] = noise(4, 8, 8, 3)
    data["labels"] = np.full((4, 2), 1 / 3, "float32")
    outputs = one_batch(data, mixer(bounding_box_format="xyxy"))
    assert keras.backend.standardize_dtype(outputs["images"].dtype) == half
    np.testing.assert_allclose(np.array(outputs["labels"]), 1 / 3, rtol=1e-6)
    boxes = outputs["bounding_boxes"]["boxes"]
    assert keras.backend.standardize_dtype(boxes.dtype) == "float32"


@pytest.mark.parametrize("mixer", [augment.MixUp, augment.CutMix, augment.Mosaic])
@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_k1_mixing_class_indices_needs_the_number_of_classes(mixer, shape):
    data = {"images": noise(4, 8, 8, 3), "labels": np.arange(4).reshape(shape)}
    with pytest.raises(ValueError, match=r"classes=\.\.\."):
        mixer()(data)
    labels = to_numpy(mixer(classes=5, seed=1)(data))["labels"]
    assert labels.shape == (4, 5)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, rtol=1e-6)
    assert (labels[np.arange(4), np.arange(4)] > 0).all()
    assert (labels[:, 4] == 0).all()


@pytest.mark.usefixtures("half")
def test_k1_class_indices_are_exact_in_half_precision():
    classes = np.array([0, 2049, 2047, 1025])  # of 2049 float16 makes 2048
    data = {"images": noise(4, 2, 2, 3), "labels": classes}
    labels = to_numpy(augment.MixUp(0.001, classes=2050, seed=1)(data))["labels"]
    assert labels.dtype == "float32"
    assert set(np.flatnonzero(labels.max(axis=0) > 1e-6)) <= set(classes)
    np.testing.assert_allclose(labels.sum(axis=1), 1.0, rtol=1e-6)


@pytest.mark.skipif(
    not keras.__version__.startswith("3.15.") or OF_KERAS in os.environ,
    reason="the list is of Keras 3.15",
)
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="once is enough")
@pytest.mark.thorough
def test_every_defect_shows_in_keras():
    done = subprocess.run(
        [*PYTEST, "-m", "slow", "-q", "--tb=no", "-p", "no:xdist", __file__],
        env={**os.environ, OF_KERAS: "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    failed = re.findall(r"^FAILED \S+::test_(\d\d)_", done.stdout, re.M)
    assert sorted({int(number) for number in failed}) == list(range(1, 31)), done.stdout
