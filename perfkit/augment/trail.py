"""A canvas without a picture, on which operations leave the way of the pixels alone."""

from typing import Any

from perfkit._backend import ops
from perfkit.augment.canvas import Canvas
from perfkit.ops import boxes, paths, warp


class Trail(Canvas):
    """Where the pixels of images went, whatever became of their colours.

    Args:
        images: Number of images.
        size: Their height and width before, in pixels.
        frames: As in `Canvas`.
    """

    def __init__(self, images, size, frames=None):
        super().__init__(ops.zeros((images, 1, 1, 3), "float32"), frames)
        self.size = self.before = size
        zeros = ops.zeros((images, 1, 1), "float32")
        self.path = paths.straight(ops.eye(3, dtype="float32")[None] + zeros, True)

    def _go(self, motion, size):
        self.path, self.size = paths.join(self.path, motion.path), size

    def paint(self, m, value_range=None, chosen=None):
        """Colours leave no trail."""

    def mean(self):
        return ops.zeros((self.samples, 3), "float32")

    def change(self, filter, params, chosen=None):
        """Nor do other changes of pixels."""

    def redraw(self, resample, matrix, size, sampling):
        self.move(matrix, size)

    def settle(self):
        """There is nothing to be done."""

    def seen_boxes(self):
        raise ValueError(
            "where pixels went depended on boxes, and cannot be known from parameters."
        )

    def back(self, canvas, fill_value, mask_fill_value) -> Any:
        """Send what lies on a canvas the way back; returns how much of it was seen.

        Args:
            canvas: Images and annotations as they came out; changed in place.
            fill_value: What images have where nothing was seen.
            mask_fill_value: The same of masks.

        Returns:
            Share of each pixel that was seen, `(images, height, width, 1)`.
        """
        height, width = self.before
        x, y = paths.destinations(self.path, height, width)
        images = ops.cast(canvas.images, "float32")
        values, coverage = warp.warp(images, x, y, "bilinear", "constant")
        canvas.images = warp.filled(values, coverage, fill_value)
        if canvas.masks is not None:
            masks, seen = warp.warp(canvas.masks, x, y, "nearest", "constant")
            canvas.masks = warp.filled(masks, seen, mask_fill_value)
        canvas.size = self.before
        if canvas.keypoints is not None:
            places = paths.back(self.path, canvas.keypoints[..., :2])
            rest = canvas.keypoints[..., 2:]
            canvas.keypoints = ops.concatenate([places, rest], axis=-1)
        if canvas.boxes is not None:
            hull = paths.boxes_back(self.path, canvas.boxes)
            extent = canvas.extent
            canvas.put_boxes(boxes.clip(hull, 0.0, 0.0, extent[1], extent[0]))
        return coverage
