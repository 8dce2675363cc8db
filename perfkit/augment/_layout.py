"""How images and their annotations lie in memory, and the way to a canvas and back."""

from typing import Any

import keras

from perfkit._backend import engine, ops
from perfkit.augment._host import HostCanvas
from perfkit.augment.canvas import Canvas
from perfkit.augment.modality import as_dtype
from perfkit.ops import boxes


class Layout:
    """How images lie in memory, and with them everything else."""

    def __init__(self, images, data_format, bounding_box_format):
        self.rank = len(images.shape)
        self.channels_first = data_format == "channels_first"
        self.bounding_box_format = bounding_box_format
        self._flat_masks = False
        shape = ops.shape(images)
        self._video = shape[:2] if self.rank == 5 else None

    def to_canvas(self, inputs) -> Canvas:
        """Lay everything out as a canvas wants it."""
        flat: dict[str, Any] = {
            key: self._fold(key, value) for key, value in inputs.items()
        }
        images = self._to_nhwc(flat["images"])
        masks = flat.get("segmentation_masks")
        if masks is not None:
            self._flat_masks = len(masks.shape) == 3
            masks = masks[..., None] if self._flat_masks else self._to_nhwc(masks)
        annotation = flat.get("bounding_boxes", {})
        canvas = (HostCanvas if engine() == "numpy" else Canvas)(
            images,
            self._video[1] if self._video else None,
            masks=masks,
            box_labels=annotation.get("labels"),
            keypoints=_to_float(flat.get("keypoints")),
            labels=inputs.get("labels"),
        )
        if annotation:
            canvas.boxes = boxes.to_xyxy(
                _to_float(annotation["boxes"]),
                self.bounding_box_format,
                *canvas.extent,
            )
        return canvas

    def from_canvas(self, canvas, inputs, dtype) -> dict[str, Any]:
        """Lay everything out as `inputs` came, images in `dtype`."""
        outputs = dict(inputs)
        images = as_dtype(canvas.images, dtype)
        outputs["images"] = self._unfold(self.from_nhwc(images))
        if canvas.masks is not None:
            masks = canvas.masks
            flat = self._flat_masks and masks.shape[-1] == 1  # else made one-hot
            masks = masks[..., 0] if flat else self.from_nhwc(masks)
            outputs["segmentation_masks"] = self._unfold(masks)
        if canvas.keypoints is not None:
            outputs["keypoints"] = self._unfold(canvas.keypoints)
        if canvas.boxes is not None:
            converted = boxes.from_xyxy(
                canvas.boxes, self.bounding_box_format, *canvas.extent
            )
            outputs["bounding_boxes"] = {"boxes": self._unfold(converted)}
            if canvas.box_labels is not None:
                labels = self._unfold(canvas.box_labels)
                outputs["bounding_boxes"]["labels"] = labels
        if canvas.labels is not None:
            outputs["labels"] = canvas.labels
        return outputs

    def _fold(self, key, value):
        """Make one axis of samples and frames, or add it to a single image."""
        if key == "labels":
            return value
        if self.rank == 3:
            return keras.tree.map_structure(lambda x: x[None], value)
        if self.rank == 4:
            return value

        def fold(x):
            samples, frames, *rest = ops.shape(x)
            return ops.reshape(x, (samples * frames, *rest))

        return keras.tree.map_structure(fold, value)

    def _unfold(self, x):
        if self.rank == 3:
            return x[0]
        if self._video is None:
            return x
        return ops.reshape(x, (*self._video, *ops.shape(x)[1:]))

    def _to_nhwc(self, x):
        return ops.transpose(x, (0, 2, 3, 1)) if self.channels_first else x

    def from_nhwc(self, x):
        return ops.transpose(x, (0, 3, 1, 2)) if self.channels_first else x


def _to_float(x):
    return None if x is None else ops.cast(x, "float32")
