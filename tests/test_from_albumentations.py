"""What becomes of compositions of Albumentations, told by stand-ins for them."""

import math
import pathlib
import re

import keras
import numpy as np
import pytest

from perfkit import augment
from perfkit.augment.moving.steps import Gain, Mirror
from tests.albumentations_like import (
    DEFAULTS,
    REQUIRED,
    compose,
    composition,
    operation,
    processor,
)
from tests.oracles import smooth, to_numpy


def made(*transforms, **settings):
    return augment.from_albumentations(compose(*transforms), **settings).layers


def kinds(layers):
    return [type(layer).__name__ for layer in layers]


# Name, arguments, the layer, its arguments.
BECOMES = [
    ("HorizontalFlip", {}, Mirror, {"axis": "horizontal"}),
    ("Transpose", {}, Mirror, {"axis": "diagonal"}),
    ("D4", {}, augment.RandomD4, {}),
    ("RandomRotate90", {}, augment.RandomRot90, {"turns": (0, 1, 2, 3)}),
    ("Rotate", {"limit": (-36, 72)}, augment.RandomRotation, {"factor": (-0.1, 0.2)}),
    (
        "Rotate",
        {"border_mode": 1, "interpolation": 0, "mask_interpolation": 1},
        augment.RandomRotation,
        {
            "fill_mode": "nearest",
            "interpolation": "nearest",
            "mask_interpolation": "bilinear",
        },
    ),
    (
        "Rotate",
        {"fill": (7, 7, 7), "fill_mask": 255},
        augment.RandomRotation,
        {"fill_mode": "constant", "fill_value": 7.0, "mask_fill_value": 255.0},
    ),
    (
        "Affine",
        {"scale": {"x": (0.5, 2.0), "y": (1.0, 1.25)}},
        augment.RandomZoom,
        {"width_factor": (-0.5, 1.0), "height_factor": (-0.2, 0.0)},
    ),
    (
        "Affine",
        {"scale": {"x": (0.8, 1.25), "y": (0.8, 1.25)}, "keep_ratio": True},
        augment.RandomZoom,
        {"width_factor": None, "height_factor": (-0.2, 0.25)},
    ),
    (
        "Affine",
        {"shear": {"x": (-45, 45), "y": (0, 0)}},
        augment.RandomShear,
        {"x_factor": (0.0, math.tan(math.radians(45))), "y_factor": (0.0, 0.0)},
    ),
    (
        "Affine",
        {"translate_percent": {"x": (-0.1, 0.2), "y": (0, 0)}, "translate_px": None},
        augment.RandomTranslation,
        {"width_factor": (-0.1, 0.2), "height_factor": (0.0, 0.0)},
    ),
    (
        "Affine",
        {"translate_px": {"x": (-5, 20), "y": (0, 4)}},
        augment.RandomTranslation,
        {"width_factor": (-0.05, 0.2), "height_factor": (0.0, 0.1)},
    ),
    ("Perspective", {}, augment.RandomPerspective, {"scale": 0.4}),
    ("GridDistortion", {}, augment.GridDistortion, {"distort_limit": (-0.3, 0.3)}),
    ("ThinPlateSpline", {}, augment.ThinPlateSpline, {"scale": (0.2, 0.4)}),
    ("RandomCrop", {}, augment.RandomCrop, {"height": 8, "width": 8}),
    ("Resize", {"interpolation": 2}, augment.Resizing, {"interpolation": "bicubic"}),
    ("Resize", {"interpolation": 3}, augment.Resizing, {"antialias": True}),
    ("RandomSizedBBoxSafeCrop", {}, augment.BoxSafeCrop, {"scale": (1.0, 1.0)}),
    *[
        (name, {"mask_interpolation": 1}, kind, {"mask_interpolation": "bilinear"})
        for name, kind in (
            ("Resize", augment.Resizing),
            ("RandomResizedCrop", augment.RandomResizedCrop),
            ("RandomSizedBBoxSafeCrop", augment.BoxSafeCrop),
        )
    ],
    (
        "RandomGamma",
        {"gamma_limit": (50, 200)},
        augment.RandomGamma,
        {"factor": (0.5, 2.0)},
    ),
    (
        "Posterize",
        {"num_bits": (3, 5)},
        augment.RandomPosterization,
        {"factor": (3, 5)},
    ),
    ("Solarize", {}, augment.Solarization, {"threshold_factor": (0.5, 0.5)}),
    ("InvertImg", {}, augment.RandomInvert, {"factor": (1.0, 1.0)}),
    ("ToGray", {}, augment.RandomGrayscale, {"factor": 1.0}),
    ("ToSepia", {}, augment.Sepia, {"factor": (1.0, 1.0)}),
    ("AutoContrast", {"method": "pil"}, augment.AutoContrast, {}),
    ("AutoContrast", {}, augment.Equalization, {}),
    ("CLAHE", {}, augment.CLAHE, {"clip_limit": (1.0, 4.0)}),
    ("MultiplicativeNoise", {}, Gain, {"factor": (0.9, 1.1)}),
    (
        "Sharpen",
        {"alpha": (0, 1 / 13), "lightness": (1.0, 1.0)},
        augment.RandomSharpness,
        {"factor": (0.5, 1.0)},
    ),
    ("GaussianBlur", {}, augment.RandomGaussianBlur, {"kernel_size": (21, 21)}),
    (
        "GaussianBlur",
        {"blur_limit": (3, 6)},
        augment.RandomGaussianBlur,
        {"kernel_size": (7, 7), "sigma": (0.5, 3.0)},
    ),
    (
        "MotionBlur",
        {"angle_range": (0, 90)},
        augment.MotionBlur,
        {"angle": (-0.25, 0.0)},
    ),
    ("MedianBlur", {"blur_limit": (5, 5)}, augment.MedianBlur, {"kernel_size": 5}),
    ("GaussNoise", {}, augment.GaussianNoise, {"stddev": (0.2, 0.44)}),
    ("SaltAndPepper", {}, augment.SaltAndPepper, {"salt": (0.4, 0.6)}),
    ("ImageCompression", {}, augment.JPEGCompression, {"quality": (99, 100)}),
    ("Downscale", {}, augment.Downscale, {"interpolation": "nearest"}),
    (
        "CoarseDropout",
        {"hole_height_range": (4, 8), "fill": "random"},
        augment.CoarseDropout,
        {"height_fraction": (0.1, 0.2), "fill_value": "noise", "holes": (1, 2)},
    ),
    (
        "CoarseDropout",
        {"fill": (1, 2, 3)},
        augment.CoarseDropout,
        {"fill_value": [1, 2, 3]},
    ),
    ("GridDropout", {"ratio": 0.3}, augment.GridMask, {"grid_fraction": (0.1, 0.1)}),
    (
        "GridDropout",
        {"unit_size_range": (4, 8)},
        augment.GridMask,
        {"grid_fraction": (0.1, 0.2), "ratio": (0.5, 0.5)},
    ),
    ("Erasing", {}, augment.RandomErasing, {"scale": (0.02, 0.33)}),
    ("ToFloat", {}, augment.Rescaling, {"scale": 1 / 255}),
]


@pytest.mark.parametrize(
    ("name", "given", "cls", "expected"),
    BECOMES,
    ids=[f"{row[0]}-{'-'.join(row[1])}" for row in BECOMES],
)
def test_operation_becomes_the_layer(name, given, cls, expected):
    (layer,) = made(operation(name, **given), image_size=(40, 100))
    assert type(layer) is cls
    assert layer.rate == 1.0
    for argument, value in expected.items():
        received = getattr(layer, argument)
        if isinstance(value, (str, type(None), bool)):
            assert received == value
        else:
            assert received == pytest.approx(value), argument


def test_every_operation_has_a_row():
    seen = {row[0] for row in BECOMES} | {
        "VerticalFlip",
        "SquareSymmetry",
        "CenterCrop",
        "RandomResizedCrop",
        "ShiftScaleRotate",
        "ElasticTransform",
        "RandomBrightnessContrast",
        "ColorJitter",
        "HueSaturationValue",
        "RandomToneCurve",
        "ChannelShuffle",
        "ChannelDropout",
        "PlanckianJitter",
        "Equalize",
        "ShotNoise",
        "Normalize",
        "NoOp",
        "LongestMaxSize",
        "SmallestMaxSize",
        "PadIfNeeded",
    }
    assert seen == set(DEFAULTS)


@pytest.mark.parametrize("name", sorted(set(DEFAULTS) - {"MedianBlur", "Sharpen"}))
def test_defaults_are_translated_saved_and_run(name):
    transforms = [operation(name, **REQUIRED.get(name, {}))]
    if name in ("LongestMaxSize", "PadIfNeeded"):
        pad = operation("PadIfNeeded", min_height=8, min_width=8)
        transforms = [operation("LongestMaxSize", max_size=8), pad]
    if name == "SmallestMaxSize":
        transforms += [operation("CenterCrop", height=8, width=8)]
    pipeline = augment.from_albumentations(compose(*transforms), image_size=(16, 16))
    pipeline = type(pipeline).from_config(pipeline.get_config())
    images = smooth(2, 16, 16, 3)
    out = pipeline.on_host(images, seed=1)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(pipeline)
    )
    assert out.shape in [(2, 16, 16, 3), (2, 8, 8, 3)]
    np.testing.assert_array_equal(again.on_host(images, seed=1), out)


def test_flips_with_p_up_to_one_half_are_random_flips():
    (layer,) = made(operation("VerticalFlip", p=0.3))
    assert (type(layer), layer.mode) == (augment.RandomFlip, "vertical")
    assert layer.rate == pytest.approx(0.6)
    (layer,) = made(operation("VerticalFlip", p=0.8))
    assert (type(layer), layer.axis, layer.rate) == (Mirror, "vertical", 0.8)


def test_p_is_the_rate_of_one_layer_and_one_coin_for_several():
    (layer,) = made(operation("Rotate", p=0.3))
    assert layer.rate == 0.3
    (layer,) = made(operation("ShiftScaleRotate", p=0.3))
    assert (type(layer), layer.rate) == (augment.RandomApply, 0.3)
    expected = ["RandomZoom", "RandomRotation", "RandomTranslation"]
    assert kinds(layer.layers) == expected
    assert all(inner.rate == 1.0 for inner in layer.layers)


def test_shift_scale_rotate_converts_units():
    zoom, rotation, shift = made(operation("ShiftScaleRotate"))
    assert zoom.height_factor == pytest.approx((1 / 1.1 - 1, 1 / 0.9 - 1))
    assert rotation.factor == pytest.approx((-0.125, 0.125))
    assert shift.width_factor == (-0.0625, 0.0625)


def test_colour_operations_convert_units():
    gain, brightness = made(operation("RandomBrightnessContrast"))
    assert gain.factor == pytest.approx((0.8, 1.2))
    assert brightness.factor == (-0.2, 0.2)
    jitter = made(operation("ColorJitter", hue=(-0.05, 0.05)))
    expected = ["Gain", "RandomContrast", "RandomSaturation", "RandomHue"]
    assert kinds(jitter) == expected
    assert jitter[1].factor == pytest.approx((0.2, 0.2))
    assert jitter[2].factor == pytest.approx((0.8 / 1.8, 1.2 / 2.2))
    assert jitter[3].factor == pytest.approx((0.0, 0.1))
    hue, saturation, value = made(operation("HueSaturationValue"))
    assert hue.factor == pytest.approx((0.0, 40 / 180))
    assert saturation.factor == pytest.approx((97.5 / 225, 157.5 / 285))
    assert value.factor == pytest.approx((-20 / 255, 20 / 255))


def test_median_blur_of_two_sizes_is_a_choice():
    (layer,) = made(operation("MedianBlur", p=0.5, blur_limit=(3, 5)))
    assert type(layer) is augment.RandomChoice
    assert layer.odds == [0.25, 0.25, 0.5]


def test_normalize_shifts_and_scales_by_fractions_of_the_range():
    (layer,) = made(operation("Normalize", mean=0.5, std=0.25))
    out = layer.on_host(np.array([[[0.0], [127.5], [255.0]]], "float32"))
    np.testing.assert_allclose(out[0, :, 0], [-2.0, 0.0, 2.0], atol=1e-6)


def test_value_range_follows_to_float():
    gamma, _, solarize = made(
        operation("RandomGamma"), operation("ToFloat"), operation("Solarize")
    )
    assert (gamma.value_range, solarize.value_range) == ((0, 255), (0, 1))
    (layer,) = made(operation("RandomGamma"), value_range=(0, 1))
    assert layer.value_range == (0, 1)


def test_sizes_are_known_after_a_crop():
    crop = operation("RandomCrop", height=40, width=20)
    shift = operation("Affine", translate_px={"x": (0, 10), "y": (0, 10)})
    _, layer = made(crop, shift)
    assert (layer.width_factor, layer.height_factor) == ((0, 0.5), (0, 0.25))


def test_letter_box_and_central_crop_are_found():
    longest = operation("LongestMaxSize", max_size=24, mask_interpolation=1)
    pad = operation("PadIfNeeded", min_height=24, min_width=24, fill=9)
    (layer,) = made(longest, pad)
    assert (type(layer), layer.height, layer.fill_value) == (augment.LetterBox, 24, 9.0)
    assert layer.mask_interpolation == "bilinear"
    smallest = operation("SmallestMaxSize", max_size=24, mask_interpolation=1)
    resizing, crop = made(smallest, operation("CenterCrop", height=16, width=20))
    assert resizing.crop_to_aspect_ratio
    assert resizing.mask_interpolation == "bilinear"
    assert (crop.height, crop.width) == (16, 20)


def test_one_of_has_the_odds_of_its_members_which_are_then_certain():
    inner = [operation("Rotate", p=0.2), operation("HorizontalFlip", p=0.6)]
    (layer,) = made(composition("OneOf", inner, p=0.4))
    assert (type(layer), layer.rate) == (augment.RandomApply, 0.4)
    (choice,) = layer.layers
    assert choice.odds == [0.2, 0.6]
    assert kinds(choice.layers) == ["RandomRotation", "Mirror"]
    assert choice.layers[0].rate == 1.0


def test_compositions_become_choices():
    inner = [operation("Rotate", p=0.2), operation("NoOp"), operation("ToSepia")]
    (some,) = made(composition("SomeOf", inner, n=2, replace=False))
    assert (type(some), some.number) == (augment.SomeOf, (2, 2))
    assert some.layers[0].rate == 0.2
    (order,) = made(composition("RandomOrder", inner, n=3, replace=False))
    assert type(order) is augment.RandomOrder
    (one,) = made(composition("RandomOrder", inner, n=1, replace=False))
    assert type(one) is augment.RandomChoice
    (either,) = made(composition("OneOrOther", inner[::2], p=0.3))
    assert either.odds == pytest.approx([0.3, 0.7])
    (both,) = made(composition("Sequential", inner[::2], p=0.5))
    assert (type(both), both.rate) == (augment.RandomApply, 0.5)
    flat = made(composition("Sequential", inner[::2]))
    assert kinds(flat) == ["RandomRotation", "Sepia"]


def test_operation_may_stand_alone_and_nothing_is_nothing():
    pipeline = augment.from_albumentations(operation("Rotate"))
    assert kinds(pipeline.layers) == ["RandomRotation"]
    images = smooth(1, 8, 8, 3)
    none = augment.from_albumentations(compose(operation("NoOp")))
    np.testing.assert_array_equal(to_numpy(none(images)), images)


def test_boxes_keypoints_and_seed_are_taken_over():
    boxes = processor(
        format="coco",
        label_fields=["labels"],
        min_area=0.0,
        min_visibility=0.25,
        min_width=0.0,
        min_height=0.0,
        max_accept_ratio=None,
    )
    points = processor(format="xy")
    source = compose(
        operation("Rotate"), processors={"bboxes": boxes, "keypoints": points}, seed=7
    )
    pipeline = augment.from_albumentations(source, dtype="uint8", name="moved")
    assert pipeline.bounding_box_format == "xywh"
    assert pipeline.min_visible == 0.25
    assert (pipeline.seed, pipeline.name, pipeline.compute_dtype) == (
        7,
        "moved",
        "uint8",
    )
    assert augment.from_albumentations(source, seed=8).seed == 8


def test_seed_is_left_out_where_nothing_is_drawn():
    source = compose(operation("Normalize"), seed=7)
    assert augment.from_albumentations(source).seed is None


def test_one_compiled_program_does_it():
    source = compose(
        operation("RandomCrop", height=16, width=16),
        composition("OneOf", [operation("HorizontalFlip"), operation("Transpose")]),
        operation("RandomBrightnessContrast", p=0.5),
        operation("Normalize"),
    )
    pipeline = augment.from_albumentations(source, seed=1)
    images, params = smooth(4, 20, 20, 3), pipeline.sample(4, seed=3)
    on_device = to_numpy(pipeline.apply(images, params))
    np.testing.assert_allclose(on_device, pipeline.on_host(images, params), atol=1e-4)


def test_guide_names_every_operation():
    page = pathlib.Path(__file__).parent.parent / "docs" / "moving.md"
    named = set(re.findall(r"`(\w+)`", page.read_text()))
    assert set(DEFAULTS) <= named
