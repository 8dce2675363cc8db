"""Single images, batches, videos, arrays and dicts, and the order of axes."""

import keras
import numpy as np

from perfkit.augment import PolicyAugment
from tests.conformance.common import (
    IMAGES,
    applies_to,
    assert_same,
    draws,
    full_inputs,
    images_of,
    keeps_samples_apart,
    of_the_base,
    to_numpy,
)

_GRIDS = ("images", "segmentation_masks")


def _video():
    """Three frames each, whose means agree, as contrast takes one over all."""
    frames = [IMAGES, IMAGES[:, ::-1, ::-1], IMAGES[:, :, ::-1]]
    return np.stack(frames, axis=1)


@of_the_base
@applies_to(keeps_samples_apart)
def check_single_equals_batch_of_one(make):
    batch = keras.tree.map_structure(lambda x: x[:1], full_inputs())
    single = keras.tree.map_structure(lambda x: x[0], batch)
    out = keras.tree.map_structure(lambda x: to_numpy(x)[0], make()(batch))
    assert_same(make()(single), out)


@of_the_base
@applies_to(keeps_samples_apart)
def check_array_equals_dict(make):
    inputs = full_inputs()
    del inputs["bounding_boxes"]  # which a crop may go by
    assert_same(make()(IMAGES), make()(inputs)["images"])


@of_the_base
def check_video_frames_change_alike(make):
    samples = np.stack([np.roll(IMAGES[0], k, axis=1) for k in range(4)])
    out = images_of(make(), np.stack([samples] * 3, axis=1))
    assert out.ndim == 5
    assert np.allclose(out, out[:, :1], atol=1e-2)
    assert np.ptp(out, axis=0).max() > 1e-3


def _has_no_moved_mean(op):
    """Contrast after a move has one mean of all frames, which differ at the borders."""
    return not issubclass(op, PolicyAugment)


@of_the_base
@applies_to(_has_no_moved_mean)
def check_video_equals_its_frames(make):
    still = full_inputs()
    labels = still.pop("labels")
    moving = keras.tree.map_structure(lambda x: np.stack([x] * 3, axis=1), still)
    moving = {**moving, "images": _video(), "labels": labels}
    out = make()(moving)
    for k in range(3):
        frame = {**still, "images": _video()[:, k], "labels": labels}
        ours = {key: value for key, value in out.items() if key != "labels"}
        ours = keras.tree.map_structure(lambda x, k=k: to_numpy(x)[:, k], ours)
        assert_same({**ours, "labels": out["labels"]}, make()(frame), atol=0.05)


@of_the_base
def check_channels_first_equals_transposed(make):
    axes = (0, 3, 1, 2)
    inputs = full_inputs()
    turned = {key: inputs[key].transpose(axes) for key in _GRIDS}
    out = make(data_format="channels_first")({**inputs, **turned})
    expected = make()(inputs)
    turned = {key: to_numpy(expected[key]).transpose(axes) for key in _GRIDS}
    assert_same(out, {**expected, **turned})


@of_the_base
def check_masks_without_channels_agree(make):
    masks = full_inputs()["segmentation_masks"]
    ours = to_numpy(make()(full_inputs(segmentation_masks=masks[..., 0]))[_GRIDS[1]])
    theirs = to_numpy(make()(full_inputs())[_GRIDS[1]])
    assert np.array_equal(ours if theirs.shape[-1] > 1 else ours[..., None], theirs)


@of_the_base
@applies_to(draws)
def check_one_and_four_channels_work(make):
    for channels in (1, 4):
        images = np.concatenate([IMAGES] * 2, axis=-1)[..., :channels]
        assert images_of(make(), images).shape[-1] == channels
