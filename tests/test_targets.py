"""What masks and boxes are given where the image ends."""

import numpy as np
import pytest

from perfkit import augment
from tests import oracles
from tests.conformance.common import run_uncompiled
from tests.oracles import drawn, noise, to_numpy, warped
from tests.pipelines import SIZERS

SIZE = (9, 12)


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch):
    run_uncompiled(monkeypatch)


def close(actual, expected, tolerance=0.02):
    np.testing.assert_allclose(to_numpy(actual), expected, rtol=0, atol=tolerance)


def masked(dtype="uint8", batch=3):
    classes = np.random.default_rng(1).integers(1, 6, (batch, *SIZE, 2))
    return {
        "images": noise(batch, *SIZE, 2),
        "segmentation_masks": classes.astype(dtype),
    }


TURN = [oracles.rotation(0.1, *SIZE)] * 3


# Masks


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float32", "float16"])
def test_masks_have_a_fill_value_of_their_own(dtype):
    data = masked(dtype)
    layer = augment.RandomRotation(
        (0.1, 0.1), "constant", fill_value=60.0, mask_fill_value=200
    )
    out = to_numpy(layer(data))
    masks = data["segmentation_masks"]
    expected = warped(masks, TURN, SIZE, "nearest", "constant", 200)
    assert out["segmentation_masks"].dtype == dtype
    np.testing.assert_array_equal(out["segmentation_masks"], expected)
    assert (expected == 200).any()
    close(
        out["images"], warped(data["images"], TURN, SIZE, "bilinear", "constant", 60.0)
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_masks_of_floats_may_be_blended(dtype):
    data = masked(dtype)
    layer = augment.RandomRotation(
        (0.1, 0.1),
        "constant",
        "nearest",
        mask_interpolation="bilinear",
        mask_fill_value=-1,
    )
    out = to_numpy(layer(data))
    masks = data["segmentation_masks"]
    assert out["segmentation_masks"].dtype == dtype
    expected = warped(masks, TURN, SIZE, "bilinear", "constant", -1)
    close(out["segmentation_masks"], expected, 0.01)
    close(out["images"], warped(data["images"], TURN, SIZE, "nearest", "constant"))


@pytest.mark.parametrize("sizer", sorted(SIZERS, key=lambda op: op.__name__))
def test_masks_may_be_blended_where_the_size_changes(sizer):
    images = masked("float32")["images"].astype("float32")
    both = {"images": images, "segmentation_masks": images}
    blended = sizer(15, 26, mask_interpolation="bilinear")
    for outputs in (blended(both), blended.on_host(both)):
        out = to_numpy(outputs)
        close(out["segmentation_masks"], out["images"], 0.01)
    plain = to_numpy(sizer(15, 26)(both)["segmentation_masks"])
    assert set(np.unique(plain)) <= {0.0, *np.unique(images)}
    with pytest.raises(ValueError, match="integer masks are classes"):
        blended(masked())


def test_masks_are_blended_beside_images_that_are_smoothed():
    images = masked()["images"].astype("float32")
    more = {"antialias": True, "mask_interpolation": "bilinear"}
    both = {"images": images, "segmentation_masks": images}
    smoothed = augment.Resizing(4, 5, **more)
    for outputs in (smoothed(both), smoothed.on_host(both)):
        close(outputs["segmentation_masks"], to_numpy(augment.Resizing(4, 5)(images)))
    padded = augment.Resizing(9, 11, pad_to_aspect_ratio=True, **more)
    masks = [
        to_numpy(outputs["segmentation_masks"])
        for outputs in (padded(both), padded.on_host(both))
    ]
    close(*masks)


BLENDING = {"mask_interpolation": "bilinear", "name": "l"}


@pytest.mark.parametrize(
    "layer",
    [
        augment.RandomRotation(0.1, **BLENDING),
        augment.RandomElasticTransform(**BLENDING),
        augment.Pipeline([augment.RandomZoom(0.1, **BLENDING)]),
    ],
)
def test_classes_are_not_blended(layer):
    with pytest.raises(ValueError, match=r"l: integer masks are classes.*dtype=uint8"):
        layer(masked())
    layer({"images": masked()["images"]})


@pytest.mark.parametrize(
    ("fill", "dtype"), [(-1, "uint8"), (256, "uint8"), (0.5, "int32"), (2, "bool")]
)
def test_a_fill_value_that_masks_cannot_hold_is_refused(fill, dtype):
    more = {"mask_fill_value": fill, "name": "l"}
    for layer in (
        augment.RandomZoom(0.1, fill_mode="constant", **more),
        augment.LetterBox(4, 4, **more),
    ):
        with pytest.raises(ValueError, match=f"l: masks of dtype {dtype} cannot hold"):
            layer(masked(dtype))
    augment.RandomZoom(0.1, **more)(masked(dtype))  # nothing is filled


def test_the_class_that_a_loss_ignores_fills_a_letter_box():
    out = augment.LetterBox(12, 12, mask_fill_value=255)(masked())
    masks = to_numpy(out["segmentation_masks"])
    assert (masks[:, [0, -1]] == 255).all()
    assert (masks[:, 2:-2] != 255).all()


@pytest.mark.parametrize(
    "second", [{"mask_fill_value": 9}, {"mask_interpolation": "bilinear"}]
)
def test_two_wishes_for_masks_are_two_resamples(second):
    data = masked("float32")
    more = {"fill_mode": "constant"}
    layers = [
        augment.RandomRotation((0.1, 0.1), **more),
        augment.RandomTranslation((0.3, 0.3), 0.0, **more, **second),
    ]
    fused, stepwise = [
        to_numpy(augment.Pipeline(layers, fused=fused)(data)) for fused in (True, False)
    ]
    for key in data:
        np.testing.assert_array_equal(fused[key], stepwise[key])


def test_operations_without_a_wish_for_masks_leave_it_to_others():
    data = masked()
    more = {"fill_mode": "constant", "mask_fill_value": 7}
    for layers in (
        [augment.RandomRotation((0.1, 0.1), **more), augment.CenterCrop(*SIZE)],
        [augment.CenterCrop(*SIZE), augment.RandomRotation((0.1, 0.1), **more)],
    ):
        out = to_numpy(augment.Pipeline(layers)(data))["segmentation_masks"]
        expected = warped(
            data["segmentation_masks"], TURN, SIZE, "nearest", "constant", 7
        )
        np.testing.assert_array_equal(out, expected)


# Boxes


def boxed():
    """One of which half will be seen, one that just touches the edge, and padding."""
    corners = [[7.0, 0, 11, 4], [2, 1, 9, 4], [0, 0, 12, 9], [0, 0, 0, 0]]
    return {
        "images": noise(1, *SIZE, 1),
        "bounding_boxes": {
            "boxes": np.array([corners], "float32"),
            "labels": np.array([[1, 2, 3, -1]]),
        },
    }


@pytest.mark.parametrize(
    ("share", "labels"),
    [
        (0.0, [1, 2, 3, -1]),
        (0.49, [1, 2, 3, -1]),
        (0.51, [-1, 2, 3, -1]),
        (0.74, [-1, 2, 3, -1]),
        (0.76, [-1, 2, -1, -1]),
        (1.0, [-1, 2, -1, -1]),
    ],
)
def test_a_box_of_which_too_little_is_seen_loses_its_label(share, labels):
    move = augment.RandomTranslation(0.0, (0.25, 0.25))
    layer = augment.Pipeline([move], bounding_box_format="xyxy", min_visible=share)
    out = to_numpy(layer(boxed()))["bounding_boxes"]
    assert out["labels"].tolist() == [labels]
    close(out["boxes"][0, :3], [[10, 0, 12, 4], [5, 1, 12, 4], [3, 0, 12, 9]], 1e-4)


def test_a_pipeline_goes_by_its_own_share():
    move = augment.RandomTranslation(0.0, (0.25, 0.25), min_visible=1.0)
    alone = augment.RandomTranslation.from_config(
        {**move.get_config(), "bounding_box_format": "xyxy"}
    )
    pipeline = augment.Pipeline([move], bounding_box_format="xyxy")
    assert to_numpy(alone(boxed()))["bounding_boxes"]["labels"][0, 0] == -1
    assert to_numpy(pipeline(boxed()))["bounding_boxes"]["labels"][0, 0] == 1


def test_a_box_that_stays_within_the_image_keeps_its_label_whatever_the_share():
    layer = augment.RandomFlip(bounding_box_format="xyxy", min_visible=1.0, seed=1)
    out = to_numpy(layer(boxed()))["bounding_boxes"]
    assert out["labels"].tolist() == [[1, 2, 3, -1]]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_cutmix_goes_by_the_share_of_both_images(share):
    rng = np.random.default_rng(1)
    corners = np.sort(rng.uniform(0, 1, (16, 4, 2, 2)), axis=2) * SIZE[::-1]
    corners = corners.reshape(16, 4, 4).astype("float32")
    labels = np.arange(64).reshape(16, 4)
    layer = augment.CutMix(bounding_box_format="xyxy", min_visible=share, seed=2)
    params = drawn(layer, 16)
    data = {"images": noise(16, *SIZE, 1)}
    data["bounding_boxes"] = {"boxes": corners, "labels": labels}
    out = to_numpy(layer(data))["bounding_boxes"]["labels"]
    edges = np.stack(layer.window(params, 9.0, 12.0), axis=-1)
    for k, other in enumerate(params["partner"]):
        window = to_numpy(edges)[k]

        def inside(box, window=window):
            x1, y1 = np.maximum(box[:2], window[:2])
            x2, y2 = np.minimum(box[2:], window[2:])
            return max(x2 - x1, 0) * max(y2 - y1, 0) / np.prod(box[2:] - box[:2])

        if other == k:
            continue
        for n in range(4):
            left, shown = 1 - inside(corners[k, n]), inside(corners[other, n])
            kept = left > 1e-6 and left >= share
            assert out[k, n] == (labels[k, n] if kept else -1)
            kept = shown > 1e-6 and shown >= share
            assert out[k, 4 + n] == (labels[other, n] if kept else -1)
    assert (out[:, :4] == -1).any()
    assert (out[:, 4:] != -1).any()
