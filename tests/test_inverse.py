"""The way back: what went one way comes back, and predictions average in place."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from perfkit import augment
from tests.conformance.common import run_uncompiled, to_numpy


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch):
    run_uncompiled(monkeypatch)


def photographs(samples=4, height=32, width=40):
    noise = np.random.default_rng(3).normal(size=(samples, height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (0, 4, 4, 0))
    return (128 + 100 * smooth / np.abs(smooth).max()).astype("float32")


def inputs():
    boxes = np.tile(np.array([[[8.0, 10.0, 24.0, 22.0]]], "float32"), (4, 1, 1))
    return {
        "images": photographs(),
        "bounding_boxes": {"boxes": boxes, "labels": np.ones((4, 1), "int32")},
        "keypoints": np.tile(np.array([[[15.0, 14.0, 7.0]]], "float32"), (4, 1, 1)),
        "segmentation_masks": (photographs()[..., :1] > 128).astype("int32"),
    }


MOTIONS = {
    "flip": [augment.RandomFlip()],
    "turn": [augment.RandomRotation(0.05), augment.RandomGamma(0.5)],
    "tilt": [augment.RandomPerspective(scale=0.2), augment.RandomHue(0.2)],
    "field": [augment.RandomFlip(), augment.RandomElasticTransform(scale=0.5)],
    "choice": [augment.RandomChoice([augment.RandomZoom(0.1), augment.RandomFlip()])],
    "policy": [augment.RandAugment(factor=0.1)],
}


@pytest.mark.parametrize("layers", MOTIONS.values(), ids=MOTIONS)
def test_what_went_one_way_comes_back(layers):
    layer = augment.Pipeline(layers, seed=1, bounding_box_format="xyxy")
    params = layer.sample(4, seed=2)
    there = layer.apply(inputs(), params)
    back = layer.inverse(there, params, fill_value=-1.0, mask_fill_value=-1)
    assert np.allclose(to_numpy(back["keypoints"]), inputs()["keypoints"], atol=0.05)
    boxes = to_numpy(back["bounding_boxes"]["boxes"])
    original = inputs()["bounding_boxes"]["boxes"]
    moved = to_numpy(there["bounding_boxes"]["boxes"])
    assert (boxes[..., :2] <= original[..., :2] + 0.1).all()  # a hull of a hull
    assert (boxes[..., 2:] >= original[..., 2:] - 0.1).all()
    assert np.abs(boxes - original).max() < 6.0
    assert np.abs(moved - original).max() > 0.8
    masks = to_numpy(back["segmentation_masks"])
    seen = masks >= 0
    same = masks == inputs()["segmentation_masks"]
    assert seen[:, 8:-8, 8:-8].mean() > 0.95
    assert same[seen].mean() > 0.95


@pytest.mark.parametrize("name", ["flip", "field"])
def test_pixels_come_back_where_colours_stayed(name):
    layer = augment.Pipeline(MOTIONS[name], seed=1)
    params = layer.sample(4, seed=2)
    there = to_numpy(layer.apply(photographs(), params))
    back = to_numpy(layer.inverse(there, params))
    inner = (slice(None), slice(6, -6), slice(6, -6))
    assert np.abs(back - photographs())[inner].max() < 6.0
    assert np.abs(there - photographs()).mean() > 6.0


def test_crops_come_back_to_their_size():
    layer = augment.RandomCrop(16, 20, seed=1)
    params = layer.sample(4, seed=2)
    there = layer.apply(photographs(), params)
    back = to_numpy(layer.inverse(there, params, size=(32, 40), fill_value=-1.0))
    seen = back[..., 0] != -1.0
    assert seen.sum() == 4 * 16 * 20
    assert np.allclose(back[seen], photographs()[seen], atol=1e-3)
    with pytest.raises(ValueError, match=r"Pass `size`"):
        layer.inverse(there, params)
    with pytest.raises(ValueError, match="makes images of"):
        layer.inverse(photographs(), params, size=(32, 40))


def test_what_cannot_be_undone_says_so():
    mix = augment.MixUp(classes=3)
    data = {"images": photographs(), "labels": np.arange(4) % 3}
    with pytest.raises(ValueError, match="cannot be taken apart"):
        mix.inverse(data, mix.sample(4))
    crop = augment.BoxSafeCrop(16, 16, bounding_box_format="xyxy")
    with pytest.raises(ValueError, match="depended on boxes"):
        crop.inverse(photographs()[:, :16, :16], crop.sample(4), size=(32, 40))


class Identity(keras.layers.Layer):
    """A model whose masks are its images."""

    def call(self, images, training=False):
        return keras.ops.cast(images, "float32")


@pytest.mark.parametrize("way", ["apply", "inverse", "on_host"])
def test_parameters_of_another_layer_are_refused(way):
    flip, turn = augment.RandomFlip(), augment.RandomRotation(0.1)
    longer = augment.Pipeline([flip, turn])
    for layer, other in ((flip, turn), (longer, augment.Pipeline([flip]))):
        with pytest.raises(ValueError, match=rf"{layer.name}: `params` must be"):
            getattr(layer, way)(photographs(), other.sample(4))


def test_masks_are_averaged_in_place():
    layers = [augment.RandomFlip(), augment.RandomRotation(0.03)]
    pipeline = augment.Pipeline(layers, seed=1)
    averaged = augment.TestTimeAugmentation(Identity(), pipeline, samples=3)
    out = to_numpy(averaged(photographs()))
    inner = (slice(None), slice(5, -5), slice(5, -5))
    assert np.abs(out - photographs())[inner].max() < 6.0
    # Without the way back it would be a mean of different pictures.
    blurred = np.mean([to_numpy(pipeline(photographs())) for _ in range(3)], axis=0)
    assert np.abs(blurred - photographs())[inner].mean() > 6.0


class Grey(keras.layers.Layer):
    """A model whose masks are a channel of its images, and have no such axis."""

    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def call(self, images, training=False):
        channel = (..., 0) if self.axis == -1 else (slice(None), 0)
        return keras.ops.cast(images, "float32")[channel]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_masks_are_averaged_in_place_wherever_the_channels_are(data_format):
    last = data_format == "channels_last"
    images = photographs() if last else photographs().transpose(0, 3, 1, 2)
    layers = [
        augment.RandomFlip(data_format=data_format),
        augment.RandomRotation(0.03, data_format=data_format),
    ]
    pipeline = augment.Pipeline(layers, seed=1)
    grey = images[..., 0] if last else images[:, 0]
    for model, expected, edge in (
        (Identity(), images, (..., slice(None)) if last else (...,)),
        (Grey(-1 if last else 1), grey, (...,)),
    ):
        averaged = augment.TestTimeAugmentation(model, pipeline, samples=3)
        out = to_numpy(averaged(images))
        assert out.shape == expected.shape
        inner = (..., slice(5, -5), slice(5, -5), *edge[1:])
        assert np.abs(out - expected)[inner].max() < 6.0


def test_classes_are_averaged_over_the_copies():
    weights = np.random.default_rng(0).normal(size=(32 * 40 * 3, 5)).astype("float32")
    layers = [keras.Input((32, 40, 3)), keras.layers.Flatten()]
    model = keras.Sequential([*layers, keras.layers.Dense(5, use_bias=False)])
    model.layers[-1].set_weights([weights])
    pipeline = augment.RandomFlip(seed=1)
    layer = augment.TestTimeAugmentation(model, pipeline, samples=2, seed=4)
    copies = [photographs()]
    for copy in range(2):
        params = pipeline.sample(4, seed=(4, copy))
        copies.append(to_numpy(pipeline.apply(photographs(), params)))
    expected = np.mean([x.reshape(4, -1) @ weights for x in copies], axis=0)
    assert np.allclose(to_numpy(layer(photographs())), expected, rtol=1e-3, atol=1.0)
    assert np.allclose(to_numpy(layer(photographs())), to_numpy(layer(photographs())))


class Corner(keras.layers.Layer):
    """A model that finds one box, where the image is brightest."""

    def call(self, images, training=False):
        ops = keras.ops
        x = ops.cast(ops.argmax(ops.max(images[..., 0], axis=1), axis=1), "float32")
        y = ops.cast(ops.argmax(ops.max(images[..., 0], axis=2), axis=1), "float32")
        boxes = ops.stack([x, y, x + 1, y + 1], axis=-1)[:, None]
        return {"boxes": boxes, "scores": ops.ones_like(boxes[..., 0])}


def test_an_average_is_saved_with_its_model_and_pipeline(tmp_path):
    inputs = keras.Input((32, 40, 3))
    model = keras.Sequential([inputs, keras.layers.Flatten(), keras.layers.Dense(2)])
    pipeline = augment.Pipeline([augment.RandomFlip(seed=1)])
    layer = augment.TestTimeAugmentation(model, pipeline, 3, original=False, seed=4)
    whole = keras.Model(inputs, layer(inputs))
    whole.save(tmp_path / "whole.keras")
    loaded = keras.models.load_model(tmp_path / "whole.keras")
    again = to_numpy(loaded(photographs()))
    np.testing.assert_allclose(again, to_numpy(whole(photographs())), rtol=1e-5)
    twin = augment.TestTimeAugmentation.from_config(layer.get_config())
    assert (twin.samples, twin.original, twin.seed) == (3, False, 4)
    assert isinstance(twin.pipeline.layers[0], augment.RandomFlip)


def test_boxes_are_put_side_by_side_in_place():
    images = np.zeros((2, 32, 40, 1), "float32")
    images[0, 7, 9] = images[1, 20, 31] = 1.0
    pipeline = augment.RandomFlip(seed=1, bounding_box_format="xyxy")
    layer = augment.TestTimeAugmentation(Corner(), pipeline, samples=4)
    out = layer(images)
    assert to_numpy(out["scores"]).shape == (2, 5)
    expected = np.array([[9, 7, 10, 8], [31, 20, 32, 21]], "float32")
    assert np.allclose(to_numpy(out["boxes"]), expected[:, None], atol=1e-3)


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match=r"`TestTimeAugmentation\(pipeline=...\)`"):
        augment.TestTimeAugmentation(Identity(), keras.layers.RandomFlip())
    with pytest.raises(ValueError, match="does not mix samples"):
        augment.TestTimeAugmentation(Identity(), augment.MixUp(classes=2))
