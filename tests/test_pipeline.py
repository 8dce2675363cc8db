"""Several operations as one: what fusing keeps, and what a pipeline takes over."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from perfkit import augment
from tests.conformance.common import IMAGES, run_uncompiled, to_numpy


@pytest.fixture(autouse=True)
def _uncompiled(monkeypatch):
    run_uncompiled(monkeypatch)


def photographs(height=48, width=64):
    """Smooth images within [64, 192], so that nothing is cut off."""
    noise = np.random.default_rng(3).normal(size=(4, height, width, 3))
    smooth = ndimage.gaussian_filter(noise, (0, 4, 4, 0))
    smooth = smooth / np.abs(smooth).max()
    return (128.0 + 64.0 * smooth).astype("float32")


def chain(fused):
    layers = [
        augment.RandomRotation(0.05),
        augment.RandomBrightness(0.1),
        augment.RandomZoom((-0.2, -0.1)),
        augment.RandomHue(0.2),
        augment.RandomShear(0.1, 0.1),
        augment.RandomSaturation((0.4, 0.6)),
        augment.CenterCrop(24, 32),
        augment.Rescaling(1 / 255),
    ]
    return augment.Pipeline(layers, seed=4, fused=fused)


def test_fused_equals_step_by_step_on_a_photograph():
    images = photographs()
    fused, steps = [to_numpy(chain(fused)(images)) for fused in (True, False)]
    # Three resamples blur where one does not: two grey levels of 255 here.
    assert np.abs(fused - steps).max() < 2.0 / 255
    assert np.abs(fused - steps).mean() < 0.3 / 255
    # Wrong draws or a wrong order would be far off: another seed is.
    other = to_numpy(augment.Pipeline(chain(True).layers, seed=5)(images))
    assert np.abs(other - fused).mean() > 5.0 / 255


def test_inference_is_that_of_the_layers():
    layers = [
        augment.RandomRotation(0.2),
        augment.RandomCrop(8, 10),
        augment.RandomInvert(),
        augment.Rescaling(1 / 255),
    ]
    expected = IMAGES
    for layer in layers:
        expected = layer(expected, training=False)
    out = augment.Pipeline(layers)(IMAGES, training=False)
    assert np.allclose(to_numpy(out), to_numpy(expected), atol=1e-5)


def test_rate_is_each_layers_own():
    invert = augment.RandomInvert(rate=0.5)
    crop = augment.RandomCrop(12, 16)
    out = to_numpy(augment.Pipeline([invert, crop], seed=1)(np.zeros((64, 12, 16, 3))))
    inverted = out[:, 0, 0, 0] == 255.0
    assert 16 < inverted.sum() < 48


def test_rate_serves_operations_that_change_the_size():
    place = np.arange(16 * 16, dtype="float32").reshape(1, 16, 16, 1)
    out = to_numpy(augment.RandomCrop(4, 4, rate=0.5, seed=2)(np.repeat(place, 64, 0)))
    centred = out[:, 0, 0, 0] == place[0, 6, 6, 0]
    assert out.shape == (64, 4, 4, 1)
    assert 16 < centred.sum() < 48


def test_seeds_of_the_layers_make_one():
    def make(*seeds):
        return augment.Pipeline([augment.RandomBrightness(0.5, seed=s) for s in seeds])

    ours, same, others = [to_numpy(make(*s)(IMAGES)) for s in ((1, 2), (1, 2), (2, 1))]
    assert np.array_equal(ours, same)
    assert not np.array_equal(ours, others)
    assert not np.array_equal(
        to_numpy(make(1, None)(IMAGES)), to_numpy(make(1, None)(IMAGES))
    )


def test_a_pipeline_in_a_pipeline_is_one_of_all():
    def layers():
        return [augment.RandomRotation(0.1), augment.RandomContrast(0.3)]

    flat = augment.Pipeline([*layers(), augment.Rescaling(0.5)], seed=1)
    nested = augment.Pipeline(
        [augment.Pipeline(layers()), augment.Rescaling(0.5)], seed=1
    )
    assert np.allclose(to_numpy(nested(IMAGES)), to_numpy(flat(IMAGES)), atol=1e-3)


def test_layouts_come_from_the_layers():
    pipeline = augment.Pipeline(
        [
            augment.RandomFlip(
                data_format="channels_first", bounding_box_format="rel_xyxy"
            )
        ]
    )
    assert pipeline.data_format == "channels_first"
    assert pipeline.bounding_box_format == "rel_xyxy"
    with pytest.raises(ValueError, match=r"data_format=\.\.\.\)` must be that of each"):
        augment.Pipeline(
            [augment.RandomFlip(), augment.RandomFlip(data_format="channels_first")]
        )


def test_adapted_layers_keep_their_statistics():
    normalization = augment.Normalization()
    normalization.adapt(IMAGES)
    pipeline = augment.Pipeline([augment.RandomFlip(seed=1), normalization])
    twin = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(pipeline)
    )
    ours, theirs = [to_numpy(layer(IMAGES)) for layer in (pipeline, twin)]
    assert np.array_equal(ours, theirs)
    assert np.abs(ours.mean()) < 1e-3
