"""Images and what belongs to them: what users pass, checked."""

import functools
import types

from perfkit import _check
from perfkit._backend import dtype_of, ops
from perfkit.augment._layout import Layout
from perfkit.augment.modality import (
    Modality,
    check_not_ragged,
    check_numbers,
    check_shape,
)
from perfkit.augment.trail import Trail
from perfkit.ops import boxes

_check_shape = functools.partial(check_shape, beside="images")


class Images(Modality):
    """Images or videos, with masks, boxes and keypoints.

    Args:
        owner: Name of the class whose arguments these are.
        data_format: See `ImageAugment`.
        bounding_box_format: See `ImageAugment`.
        min_visible: See `ImageAugment`.
    """

    main = "images"
    mistaken = types.MappingProxyType(
        {
            "label": "labels",
            "mask": "segmentation_masks",
            "masks": "segmentation_masks",
            "segmentation_mask": "segmentation_masks",
            "boxes": "bounding_boxes",
            "bboxes": "bounding_boxes",
            "bounding_box": "bounding_boxes",
        }
    )
    one_shape = "Resize or bucket the images, and pad boxes and keypoints to one number"

    def __init__(
        self, owner, data_format=None, bounding_box_format=None, min_visible=0.0
    ):
        self.data_format = _check.data_format(owner, data_format)
        if bounding_box_format is not None:
            bounding_box_format = _check.one_of(
                owner, "bounding_box_format", bounding_box_format, boxes.FORMATS
            )
        self.bounding_box_format = bounding_box_format
        self.min_visible = _check.unit(owner, "min_visible", min_visible)

    @property
    def handled(self):
        return ("images", "segmentation_masks", "bounding_boxes", "keypoints")

    def check(self, name, inputs, mixes):
        self.check_keys(name, inputs)
        for key in self.handled:
            remedy = (
                "Resize images to one size and pad boxes to one number, with the label "
                "-1, before the layer."
            )
            check_not_ragged(name, key, inputs.get(key), remedy)
        images = inputs["images"]
        if getattr(images.shape, "rank", 0) is None:
            raise ValueError(
                f"{name}: images have an unknown rank. Say it before the layer, for "
                "batches of RGB `images = tf.ensure_shape(images, (None, None, None, "
                "3))`."
            )
        rank = len(images.shape)
        if rank not in (3, 4, 5):
            raise ValueError(
                f"{name}: images must have rank 3 (one image), 4 (a batch) or 5 (a "
                f"batch of videos). Received: images.shape={tuple(images.shape)}"
            )
        check_numbers(name, "images", images)
        if mixes and rank == 3:
            raise ValueError(
                f"{name}: mixes the samples of a batch. Received one image of shape "
                f"{tuple(images.shape)}: batch the data first."
            )
        labels = inputs.get("labels")
        if (
            rank == 3
            and len(getattr(labels, "shape", ()))
            and labels.shape[0] == (images.shape[0])
        ):
            raise ValueError(
                f"{name}: one image has as many labels as rows. Is it a batch of grey "
                "images? Give them an axis of channels: `images[..., None]`. Received: "
                f"images.shape={tuple(images.shape)}, labels.shape="
                f"{tuple(labels.shape)}"
            )
        *samples, a, b, c = images.shape
        if self.data_format == "channels_last":
            height, width, mask = a, b, (a, b, None)
        else:
            height, width, mask = b, c, (None, b, c)
        if "segmentation_masks" in inputs:
            masks = inputs["segmentation_masks"]
            flat = len(masks.shape) < rank
            wanted = (*samples, height, width) if flat else (*samples, *mask)
            _check_shape(name, "segmentation_masks", masks, wanted)
        if "keypoints" in inputs:
            keypoints = inputs["keypoints"]
            _check_shape(name, "keypoints", keypoints, (*samples, None, None))
            if (keypoints.shape[-1] or 2) < 2:
                raise ValueError(
                    f"{name}: keypoints must have shape (batch, n, 2 or more), x and y "
                    f"first. Received: shape={tuple(keypoints.shape)}"
                )
        if "bounding_boxes" in inputs:
            annotation = inputs["bounding_boxes"]
            _check_boxes(name, annotation, self.bounding_box_format)
            _check_shape(name, "boxes", annotation["boxes"], (*samples, None, 4))
            if "labels" in annotation:
                labels = annotation["labels"]
                wanted = tuple(annotation["boxes"].shape)[:-1]
                _check_shape(name, "labels of boxes", labels, wanted)
            extras = sorted(set(annotation) - set(_BOXED))
            if mixes and extras:
                raise ValueError(
                    f"{name}: boxes of two images are put together, and nothing is "
                    "known of what lies beside them. Received: bounding_boxes with "
                    f"{extras}"
                )
        if mixes and "labels" in inputs:
            labels = inputs["labels"]
            wanted = (samples[0], *[None] * (len(labels.shape) - 1))
            _check_shape(name, "labels", labels, wanted)

    def split(self, inputs, mixes):
        program, aside = super().split(inputs, mixes)
        if "bounding_boxes" in program:
            annotation = program["bounding_boxes"]
            program["bounding_boxes"] = {
                k: annotation[k] for k in annotation if k in _BOXED
            }
            extras = {k: v for k, v in annotation.items() if k not in _BOXED}
            if extras:
                aside["bounding_boxes"] = extras
        return program, aside

    def join(self, outputs, aside):
        joined = super().join(outputs, aside)
        if "bounding_boxes" in aside:
            extras = aside["bounding_boxes"]
            joined["bounding_boxes"] = {**extras, **outputs["bounding_boxes"]}
        return joined

    def _arrays(self, value):
        if isinstance(value, dict):  # boxes
            array = super()._arrays
            return {k: array(v) if k in _BOXED else v for k, v in value.items()}
        return super()._arrays(value)

    def samples(self, name, inputs):
        shape = inputs["images"].shape
        if 0 in shape:
            raise ValueError(
                f"{name}: there are no pixels. Received: images.shape={shape}"
            )
        return 1 if len(shape) == 3 else shape[0]

    def to_canvas(self, inputs):
        layout = Layout(inputs["images"], self.data_format, self.bounding_box_format)
        canvas = layout.to_canvas(inputs)
        canvas.min_visible = self.min_visible
        return canvas, layout

    def undo(self, layer, outputs, params, size, fills):
        canvas, layout = self.to_canvas(outputs)
        images = ops.shape(canvas.images)[0]

        def followed(size):
            trail = Trail(images, size, canvas.frames)
            layer.perform(trail, params, layer.constants())
            return trail

        height, width = canvas.size
        if size is None and followed((height + 1, width + 1)).size == canvas.size:
            raise ValueError(
                f"{layer.name}: makes images of one size, {canvas.size}, of any. Pass "
                "`size`, the height and width that they had before."
            )
        trail = followed(canvas.size if size is None else tuple(size))
        if trail.size != canvas.size:
            made, got = [f"{h} x {w}" for h, w in (trail.size, canvas.size)]
            raise ValueError(
                f"{layer.name}: makes images of {made} pixels, and only what has that "
                f"size can be moved back. Received: {got}. Resize it first, say at the "
                "end of the model."
            )
        coverage = trail.back(canvas, *fills)
        moved = layout.from_canvas(canvas, outputs, "float32")
        return moved, layout.from_nhwc(coverage)

    def from_canvas(self, canvas, layout, inputs, dtype):
        return layout.from_canvas(canvas, inputs, dtype)


_BOXED = ("boxes", "labels")


def _kind(annotation):
    if isinstance(annotation, dict):
        return f"the keys {sorted(annotation)}"
    return type(annotation).__name__


def _check_boxes(name, annotation, bounding_box_format):
    if not isinstance(annotation, dict) or "boxes" not in annotation:
        raise ValueError(
            f"{name}: 'bounding_boxes' must be a dict with the key 'boxes', and "
            f"'labels' beside it. Received: {_kind(annotation)}"
        )
    if bounding_box_format is None:
        raise ValueError(
            f"{name}: got bounding boxes and does not know their format. Pass "
            f"`bounding_box_format`, one of {list(boxes.FORMATS)}."
        )
    if "labels" in annotation and dtype_of(annotation["labels"]).startswith("uint"):
        raise TypeError(
            f"{name}: labels of boxes must be signed: -1 marks a box that left the "
            f"image. Received: dtype={dtype_of(annotation['labels'])}"
        )
