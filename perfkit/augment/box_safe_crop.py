"""Random crop that keeps all boxes."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.augment.geometric import GeometricAugment
from perfkit.ops import boxes, windows
from perfkit.ops.warp import INTERPOLATIONS


@keras.saving.register_keras_serializable(package="perfkit")
class BoxSafeCrop(GeometricAugment):
    """Cut a random window that holds every box out of each image, and resize it.

    Each edge of the window is uniform between that of the image and that of the
    hull of all boxes whose label is not -1, drawn per sample. An image without such
    a box is cut like `RandomResizedCrop`, by `scale` and `ratio`. At inference it is
    the largest window in the middle that has the aspect of the output, whatever the
    boxes.

    Args:
        height: Height of the output, in pixels. At least 1.
        width: Width of the output, in pixels. At least 1.
        erosion: How much of each box's height and of its width may be cut off, half
            at either end. Fraction. Within [0, 1].
        scale, ratio: See `RandomResizedCrop`; for images without a box.
        interpolation: `"bilinear"` or `"nearest"`, for images.
        seed, data_format: See `Augment`.
        **kwargs: See `GeometricAugment` (`rate`, `bounding_box_format`, ...).

    Shape:
        `(batch, image height, image width, channels)` or one image; `(batch,
        height, width, channels)` out.

    Raises:
        ValueError: If a size, `erosion`, `scale` or `ratio` is out of bounds.

    Example:
        >>> import numpy as np
        >>> data = {"images": np.zeros((1, 40, 60, 3))}
        >>> data["bounding_boxes"] = {"boxes": np.array([[[10.0, 10.0, 30.0, 30.0]]])}
        >>> crop = BoxSafeCrop(24, 24, bounding_box_format="xyxy")(data)
        >>> box = np.array(crop["bounding_boxes"]["boxes"]).ravel()
        >>> bool(min(box) > 0 and max(box) < 24)
        True

    Reference: Buslaev et al., Albumentations: Fast and Flexible Image
        Augmentations, 2018, 1809.06839, has a crop of this kind; it erodes the hull
        of the boxes, which may cost a small one all of its area.
    """

    def __init__(
        self,
        height,
        width,
        erosion=0.0,
        scale=(0.08, 1.0),
        ratio=(3 / 4, 4 / 3),
        interpolation="bilinear",
        seed=None,
        data_format=None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        owner = "BoxSafeCrop"
        self.height = _check.integer(owner, "height", height)
        self.width = _check.integer(owner, "width", width)
        self.erosion = _check.unit(owner, "erosion", erosion)
        self.scale = _check.pair(owner, "scale", scale, 1e-6, 1.0)
        self.ratio = _check.pair(owner, "ratio", ratio, 0.01, 100.0)
        self.interpolation = _check.one_of(
            owner, "interpolation", interpolation, INTERPOLATIONS
        )

    def parameters(self, rng):
        names = ("left", "top", "right", "bottom")  # or x, y, area and aspect
        return {name: rng.uniform() for name in names}

    def at_inference(self, batch):
        half = ops.zeros((batch,), "float32") + 0.5
        return {"left": half, "top": half}

    def observe(self, canvas):
        corners, labels = canvas.seen_boxes()
        if corners is None:
            return {}
        height, width = canvas.extent
        corners = boxes.clip(corners, 0.0, 0.0, width, height)
        there = boxes.area(corners) > 0.0
        if labels is not None:
            there = there & (labels != -1)
        corners = canvas.by_sample(boxes.shrink(corners, self.erosion))
        hull, found = boxes.hull(corners, canvas.by_sample(there))
        return {"hull": hull, "found": found}

    def matrix(self, params, height, width):
        left, top = params["left"], params["top"]
        if "right" not in params:
            sides = windows.largest(self.width / self.height, height, width)
        else:
            low, high = self.scale
            area = low + (high - low) * params["right"]
            sides = windows.of_area(area, params["bottom"], self.ratio, height, width)
        window = [left * (width - sides[1]), top * (height - sides[0]), *sides[::-1]]
        if "right" in params and "hull" in params:
            shares = [params[name] for name in ("left", "top", "right", "bottom")]
            around = windows.around(params["hull"], shares, height, width)
            window = [
                ops.where(params["found"], ours, others)
                for ours, others in zip(around, window, strict=True)
            ]
        left, top, wide, tall = window
        return windows.show(left, top, wide, tall, self.width, self.height)

    def output_size(self, height, width):
        return self.height, self.width
