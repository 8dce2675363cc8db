"""Pipelines agree with the Keras layers that they are made of."""

import keras
import numpy as np
import pytest

from perfkit import augment
from tests.oracles import smooth, to_numpy

L = keras.layers


def exactly(value):
    return (value, value)


# Layers without anything left to draw, and how far results may be from theirs.
PINNED = [
    (L.RandomRotation(exactly(0.1)), 1e-2),
    (L.RandomRotation(exactly(0.1), fill_mode="constant", fill_value=50.0), 1e-2),
    (L.RandomZoom(exactly(0.2), exactly(-0.1)), 1e-2),
    (L.RandomZoom(exactly(0.2)), 1e-2),
    (L.RandomTranslation(exactly(0.1), exactly(-0.1)), 1e-2),
    (L.CenterCrop(20, 24), 1e-3),
    (L.Resizing(24, 40), 1e-2),
    (L.Resizing(24, 40, interpolation="bicubic"), 5e-2),
    (L.Resizing(16, 16, crop_to_aspect_ratio=True), 1e-2),
    (L.Resizing(16, 20, antialias=True), 1e-2),
    (L.Resizing(24, 36, pad_to_aspect_ratio=True, fill_value=9.0), 1e-2),
    (L.Rescaling(1 / 127.5, offset=-1), 1e-4),
    (L.Rescaling([0.1, 0.2, 0.3]), 1e-4),
    (L.RandomBrightness(exactly(0.1)), 1e-2),
    (L.RandomColorDegeneration(exactly(0.5)), 5e-2),
    (L.RandomSharpness(exactly(0.8)), 1e-2),
    (L.RandomGaussianBlur(exactly(1.0), 7, exactly(0.9)), 1e-2),
    (L.RandomInvert(exactly(1.0)), 1e-2),
    (L.RandomGrayscale(1.0), 5e-2),
    (L.RandomPosterization(exactly(3)), 1e-3),
    (L.Solarization(), 1e-3),
    (L.AutoContrast(), 1e-2),
    (L.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0]), 1e-3),
    (L.Normalization(axis=None, mean=3.0, variance=2.0, invert=True), 1e-3),
]


@pytest.mark.parametrize(
    ("layer", "tolerance"), PINNED, ids=[type(row[0]).__name__ for row in PINNED]
)
def test_pinned_layer_agrees(layer, tolerance):
    images = np.round(smooth(2, 32, 36, 3))
    theirs = to_numpy(layer(images, training=True))
    ours = np.asarray(augment.from_keras(layer).on_host(images))
    error = np.abs(theirs - ours)
    if ours.shape == images.shape:
        error = error[:, 6:-6, 6:-6]  # borders differ, see docs/augmentation.md
    assert error.max() < tolerance


# Layers, and what of perfkit's layer is to be what.
RANGES = [
    (L.RandomRotation(0.2), {"factor": (-0.2, 0.2)}),
    (L.RandomZoom(0.2, 0.1), {"width_factor": (-0.1, 0.1)}),
    (L.RandomTranslation(0.1, (-0.3, 0.2)), {"width_factor": (-0.3, 0.2)}),
    (L.RandomShear(0.2, (0.1, 0.3)), {"x_factor": (0, 0.2), "y_factor": (0.1, 0.3)}),
    (L.RandomBrightness(0.2), {"factor": (-0.2, 0.2)}),
    (L.RandomContrast(0.2), {"factor": (0.0, 0.2)}),
    (L.RandomSaturation(0.6), {"factor": (0.0, 0.6)}),
    (L.RandomSaturation((0.2, 0.6)), {"factor": (0.2, 0.6)}),
    (L.RandomHue(0.2), {"factor": (0.0, 0.2)}),
    (L.RandomColorDegeneration(0.4), {"factor": (0.0, 0.4)}),
    (L.RandomInvert(0.8), {"factor": (0.0, 0.8)}),
    (L.RandomErasing(0.5, fill_value=3.0), {"factor": (0, 0.5), "fill_value": 3.0}),
    (L.RandomErasing(), {"fill_value": "noise"}),
    (L.RandomPosterization(5), {"factor": (1, 4)}),
    (L.RandomPosterization((2, 5)), {"factor": (2, 4)}),
    (L.RandomElasticTransform(), {"factor": (0.0, 1.0), "scale": (0.0, 1.0)}),
    (L.RandomPerspective(scale=0.4), {"factor": (0.0, 1.0), "scale": 0.4}),
    (L.Solarization(0.1, (0.2, 0.5)), {"threshold_factor": (0.2 / 255, 0.5)}),
    (L.CutMix(), {"factor": (0.001, 1.0)}),
    (L.MixUp(0.3), {"alpha": 0.3}),
    (L.RandAugment(factor=0.4), {"factor": (0.0, 0.4), "num_ops": 2}),
    (L.AugMix(), {"factor": (0.0, 0.3), "num_chains": 3}),
    (L.RandomCrop(8, 9), {"height": 8, "width": 9}),
    (L.RandomFlip("vertical"), {"mode": "vertical"}),
    (L.Equalization(bins=64), {"bins": 64}),
    (
        L.RandomColorJitter((0, 1), 0.1, 0.2, 0.3, (0.1, 0.2)),
        {
            "value_range": (0, 1),
            "brightness_factor": (-0.1, 0.1),
            "contrast_factor": (0.0, 0.2),
            "saturation_factor": (0.0, 0.3),
            "hue_factor": (0.1, 0.2),
        },
    ),
]
if hasattr(L, "ContrastLimitedAdaptiveHistogramEqualization"):
    CLAHE = L.ContrastLimitedAdaptiveHistogramEqualization(clip_limit=3.0)
    RANGES.append((CLAHE, {"clip_limit": (3.0, 3.0), "per_channel": True}))


@pytest.mark.parametrize(
    ("layer", "expected"), RANGES, ids=[type(row[0]).__name__ for row in RANGES]
)
def test_ranges_are_those_that_keras_draws_from(layer, expected):
    (ours,) = augment.from_keras(layer).layers
    assert ours.name == layer.name
    for argument, value in expected.items():
        received = getattr(ours, argument)
        assert received == (value if isinstance(value, str) else pytest.approx(value))


def test_every_image_layer_is_translated_or_refused():
    """Of this version of Keras, the ones that start with `Random` at least."""
    seen = {type(row[0]).__name__ for row in (*PINNED, *RANGES)}
    assert {name for name in dir(L) if name.startswith("Random")} <= seen


@pytest.mark.parametrize("axis", [-1, None])
def test_adapted_state_is_taken_over(axis):
    images = smooth(4, 16, 16, 3)
    layer = L.Normalization(axis=axis)
    layer.adapt(images)
    ours = augment.from_keras([layer]).on_host(images)
    np.testing.assert_allclose(ours, to_numpy(layer(images)), atol=1e-4)


def test_normalization_that_knows_nothing_can_be_adapted_later():
    pipeline = augment.from_keras(L.Normalization())
    images = smooth(4, 16, 16, 3)
    pipeline.layers[0].adapt(images)
    assert abs(pipeline.on_host(images).mean()) < 1e-4


def test_nested_models_and_pipelines_become_one():
    gamma = augment.RandomGamma(0.2)
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            L.RandomFlip(seed=3, name="mirror"),
            L.Pipeline(
                [L.RandomRotation(0.1), keras.Sequential([L.Rescaling(1 / 255)])]
            ),
            L.Identity(),
            gamma,
        ]
    )
    pipeline = augment.from_keras(model, seed=5, name="moved", fused=False)
    kinds = [type(layer).__name__ for layer in pipeline.layers]
    assert kinds == ["RandomFlip", "RandomRotation", "Rescaling", "RandomGamma"]
    assert pipeline.layers[0].name == "mirror"
    assert pipeline.layers[3] is gamma
    assert (pipeline.seed, pipeline.name, pipeline.fused) == (5, "moved", False)


def test_seeds_are_kept():
    layers = [L.RandomFlip(seed=3), L.RandomRotation(0.1, seed=4), L.Rescaling(2.0)]
    first, second = augment.from_keras(layers), augment.from_keras(layers)
    assert [layer.seed for layer in first.layers] == [3, 4, None]
    assert first.seed == second.seed is not None
    assert augment.from_keras([layers[0], L.RandomHue(0.1)]).seed is None


def test_layout_and_dtype_are_kept():
    flip = L.RandomFlip(data_format="channels_first", dtype="mixed_bfloat16")
    scale = L.Rescaling(2.0, dtype="mixed_bfloat16")
    pipeline = augment.from_keras([flip, scale])
    assert pipeline.data_format == "channels_first"
    assert pipeline.layers[1].data_format == "channels_first"
    assert pipeline.compute_dtype == "bfloat16"
    assert augment.from_keras([scale], dtype="float32").compute_dtype == "float32"


def test_result_is_saved_and_compiled(tmp_path):
    layers = [L.RandomFlip(), L.RandomContrast(0.3), L.Normalization()]
    layers[2].adapt(smooth(2, 16, 16, 3))
    pipeline = augment.from_keras(layers, seed=1)
    model = keras.Sequential([keras.Input((16, 16, 3)), pipeline])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras").layers[0]
    images, params = smooth(2, 16, 16, 3), pipeline.sample(2, seed=3)
    expected = to_numpy(pipeline.apply(images, params))
    np.testing.assert_allclose(again.on_host(images, params), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (
            keras.Sequential([L.RandomFlip(), L.Dense(3, name="head")]),
            ["`Dense`", "'head'", "[1]"],
        ),
        (
            [L.RandomFlip(), L.Pipeline([L.Resizing(8, 8, "area")])],
            ["`Resizing`", "[1].layers[0]", "'area'"],
        ),
        (L.GaussianNoise(0.1), ["`GaussianNoise`", "fraction of `value_range`"]),
        (L.Normalization(axis=1), ["`Normalization`", "axis=1"]),
        (L.RandomColorDegeneration((-0.5, 0.2)), ["`RandomColorDegeneration`", "-0.5"]),
        ([None], ["`NoneType`", "layers[0]"]),
        (keras.Model(), ["`Model`"]),
    ],
)
def test_what_has_no_equivalent_is_named(layers, words):
    with pytest.raises(ValueError, match="`from_keras`") as error:
        augment.from_keras(layers)
    assert all(word in str(error.value) for word in words)


def test_a_layer_of_ones_own_is_not_taken_for_keras():
    class RandomFlip(keras.layers.Layer):
        pass

    with pytest.raises(ValueError, match="no image augmentation of Keras's"):
        augment.from_keras(RandomFlip())
