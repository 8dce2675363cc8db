"""Masks, boxes and keypoints follow the pixels."""

import numpy as np

from perfkit.augment import ColorAugment, GeometricAugment, WarpAugment
from perfkit.ops.boxes import FORMATS
from tests.conformance.common import (
    BOXES,
    IMAGES,
    applies_to,
    assert_same,
    family,
    full_inputs,
    keeps_samples_apart,
    of_the_base,
    to_numpy,
)

_ENLARGED = 4
_BOX = np.array([18.0, 14.0, 44.0, 32.0])
_SAMPLES = 12


def _written_as(name, corners, height, width):
    """Corners in pixels, written as Keras names it; apart from perfkit's own."""
    x1, y1, x2, y2 = np.moveaxis(corners / 1.0, -1, 0)
    if name.startswith("rel_"):
        x1, x2, y1, y2 = x1 / width, x2 / width, y1 / height, y2 / height
    w, h, x, y = x2 - x1, y2 - y1, (x1 + x2) / 2, (y1 + y2) / 2
    entries = {
        "xyxy": (x1, y1, x2, y2),
        "yxyx": (y1, x1, y2, x2),
        "xywh": (x1, y1, w, h),
        "center_xywh": (x, y, w, h),
        "center_yxhw": (y, x, h, w),
    }[name.removeprefix("rel_")]
    return np.stack(entries, axis=-1)


def _boxes(values):
    labels = np.repeat([[1, 2]], 4, axis=0).astype("int32")
    return {"boxes": values.astype("float32"), "labels": labels}


@of_the_base
def check_box_formats_agree(make):
    expected = make()(full_inputs())
    corners = to_numpy(expected["bounding_boxes"]["boxes"])
    height, width = expected["images"].shape[1:3]
    for name in FORMATS:
        written = _written_as(name, BOXES, *IMAGES.shape[1:3])
        inputs = full_inputs(bounding_boxes=_boxes(written))
        out = make(bounding_box_format=name)(inputs)["bounding_boxes"]
        written = _written_as(name, corners, height, width)
        assert np.allclose(to_numpy(out["boxes"]), written, atol=1e-3), name
        labels = expected["bounding_boxes"]["labels"]
        assert np.array_equal(to_numpy(out["labels"]), to_numpy(labels)), name


@of_the_base
def check_boxes_without_labels_work(make):
    out = make()(full_inputs(bounding_boxes={"boxes": BOXES.astype("float32")}))
    assert list(out["bounding_boxes"]) == ["boxes"]


@applies_to(keeps_samples_apart)
def check_no_boxes_at_all_are_no_boxes(make):
    none = {"boxes": np.zeros((4, 0, 4)), "labels": np.zeros((4, 0), "int32")}
    layer, inputs = make(), full_inputs(bounding_boxes=none)
    for outputs in (layer(inputs), layer.on_host(inputs)):
        boxes = outputs["bounding_boxes"]
        assert tuple(boxes["boxes"].shape) == (4, 0, 4)
        assert tuple(boxes["labels"].shape) == (4, 0)


@of_the_base
@applies_to(keeps_samples_apart)
def check_padding_boxes_stay_padding(make):
    inputs = full_inputs()
    inputs["bounding_boxes"]["labels"][:, 1] = -1
    labels = to_numpy(make()(inputs)["bounding_boxes"]["labels"])
    assert (labels[:, 1] == -1).all()


@of_the_base
@applies_to(family(ColorAugment))
def check_color_leaves_annotations(make):
    inputs = full_inputs()
    out = make()(inputs)
    for outputs in (inputs, out):
        del outputs["images"]
    assert_same(out, inputs, atol=0.0)


def _one_rectangle(make):
    """A mask, its box and points in it, after the operation."""
    left, top, right, bottom = _BOX.astype(int)
    height, width = [_ENLARGED * size for size in IMAGES.shape[1:3]]
    images = np.zeros((_SAMPLES, height, width, 1), "float32")
    images[:, top:bottom, left:right] = 1.0
    x, y = np.meshgrid([left + 0.5, 31.0, right - 0.5], [top + 0.5, 23.0, bottom - 0.5])
    points = np.stack([x.ravel(), y.ravel()], axis=-1).astype("float32")
    warps = isinstance(make(), WarpAugment)
    return make(**({"fill_mode": "constant"} if warps else {}))(
        {
            "images": images,
            "segmentation_masks": images.astype("int32"),
            "bounding_boxes": {
                "boxes": np.repeat(_BOX[None, None], _SAMPLES, axis=0),
                "labels": np.ones((_SAMPLES, 1), "int32"),
            },
            "keypoints": np.repeat(points[None], _SAMPLES, axis=0),
        }
    )


@applies_to(family(GeometricAugment))
def check_box_is_the_hull_of_the_mask(make):
    out = _one_rectangle(make)
    masks = to_numpy(out["segmentation_masks"])[..., 0]
    compared = 0
    for mask, box, label in zip(
        masks,
        to_numpy(out["bounding_boxes"]["boxes"])[:, 0],
        to_numpy(out["bounding_boxes"]["labels"])[:, 0],
        strict=True,
    ):
        y, x = np.nonzero(mask)
        if len(x) == 0:
            area = (box[2] - box[0]) * (box[3] - box[1])
            assert label == -1 or area < 2.0 * max(masks.shape)
            continue
        hull = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
        assert np.abs(hull - box).max() <= 1.5, (hull, box)
        assert label == 1
        compared += 1
    assert compared > 1


@applies_to(family(GeometricAugment))
def check_mask_follows_the_image(make):
    out = _one_rectangle(make)
    images = to_numpy(out["images"])
    sure = np.abs(images - 0.5) > 0.45  # bicubic rings, borders are blends
    masks = to_numpy(out["segmentation_masks"])
    assert sure.mean() > 0.8
    assert np.array_equal(images[sure] > 0.5, masks[sure] == 1)


@applies_to(family(GeometricAugment))
def check_keypoints_stay_in_their_box(make):
    out = _one_rectangle(make)
    height, width = out["images"].shape[1:3]
    points = to_numpy(out["keypoints"])
    boxes = to_numpy(out["bounding_boxes"]["boxes"])
    x, y = points[..., 0], points[..., 1]
    seen = (x > 0) & (x < width) & (y > 0) & (y < height)
    inside = (x > boxes[..., 0]) & (x < boxes[..., 2])
    inside &= (y > boxes[..., 1]) & (y < boxes[..., 3])
    assert seen.sum() > 1
    assert inside[seen].all()


@of_the_base
@applies_to(family(GeometricAugment))
def check_keypoints_keep_what_comes_after_xy(make):
    keypoints = full_inputs()["keypoints"]
    visible = np.concatenate([keypoints, np.full((4, 2, 1), 2.0)], axis=-1)
    out = to_numpy(
        make()(full_inputs(keypoints=visible.astype("float32")))["keypoints"]
    )
    assert np.array_equal(out[..., 2], np.full((4, 2), 2.0))
    plain = to_numpy(make()(full_inputs())["keypoints"])
    assert np.allclose(out[..., :2], plain, atol=1e-4)
