"""Objects as corrections of anchors."""

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.detection.detection_head import DetectionHead
from perfkit.ops.detection import anchors, assignment, coding, regression

_SCALES = (4.0, 4.0 * 2.0 ** (1.0 / 3.0), 4.0 * 2.0 ** (2.0 / 3.0))


@keras.saving.register_keras_serializable(package="perfkit")
class RetinaNetHead(DetectionHead):
    """Predict of boxes of several sizes at each place what they hold, and corrections.

    An object is to be found by the anchors that it overlaps, and by the one that it
    overlaps most.

    Args:
        classes: See `DetectionHead`.
        scales: Sides of square anchors, in strides of their map. Above 0.
        ratios: Heights over widths of anchors. Above 0.
        positive: Intersection over union from which an anchor has an object. Within
            [0, 1].
        negative: Intersection over union below which an anchor is background; those
            between do not count. At most `positive`.
        box_loss: `"smooth_l1"` of what boxes are coded as, `"giou"` or `"ciou"`.
        **kwargs: See `DetectionHead` (`filters`, `depth`, `normalization`, `alpha`,
            `gamma`, `box_weight`, `prior`, `data_format`).

    Shape:
        A list of `(batch, height, width, channels)`, finest first, or channels first;
        a dict of logits `"classes"` `(batch, n, classes)` and corrections `"boxes"`
        `(batch, n, 4)`, where n is the number of anchors at all places of all maps.

    Raises:
        ValueError: If an argument is out of bounds, or maps differ in channels.

    Example:
        >>> import numpy as np
        >>> maps = [np.ones((1, 8, 8, 6)), np.ones((1, 4, 4, 6))]
        >>> tuple(RetinaNetHead(3)(maps)["classes"].shape)
        (1, 720, 3)

    Reference: Lin et al., Focal Loss for Dense Object Detection, 2017, arXiv
        1708.02002. The best anchor of each object belongs to it, as in torchvision, and
        towers have a normalization, which the paper is without.
    """

    box_losses = ("ciou", "giou", "smooth_l1")

    def __init__(
        self,
        classes,
        *,
        scales=_SCALES,
        ratios=(0.5, 1.0, 2.0),
        positive=0.5,
        negative=0.4,
        box_loss="smooth_l1",
        **kwargs,
    ):
        super().__init__(classes, box_loss=box_loss, **kwargs)
        owner = "RetinaNetHead"
        self.scales = _several(owner, "scales", scales)
        self.ratios = _several(owner, "ratios", ratios)
        self.positive = _check.unit(owner, "positive", positive)
        self.negative = _check.number(owner, "negative", negative, 0.0, self.positive)

    def entries(self):
        many = len(self.scales) * len(self.ratios)
        return {"classes": (many, self.classes), "boxes": (many, 4)}

    def prepare(self, filters, maps):  # noqa: ARG002  the family fixes them
        sizes = {name: many * size for name, (many, size) in self.entries().items()}
        self.classify = self.last(filters, sizes["classes"], "classify", self.rare())
        self.locate = self.last(filters, sizes["boxes"], "locate")

    def predict(self, seen, number):  # noqa: ARG002
        return {
            "classes": self.classify(seen["classes"]),
            "boxes": self.locate(seen["boxes"]),
        }

    def _anchors(self, image_size, strides):
        height, width = image_size
        return anchors.anchors(height, width, strides, self.scales, self.ratios)

    def costs(self, predictions, boxes, labels, image_size, strides):
        homes = self._anchors(image_size, strides)
        index = assignment.by_overlap(
            homes, boxes, labels, self.positive, self.negative
        )
        found = ops.cast(index >= 0, "float32")
        counts = ops.cast(index >= -1, "float32")
        boxes = regression.matched(boxes, index)
        labels = regression.matched(labels[..., None], index)[..., 0]
        labels = ops.where(index >= 0, labels, -1)
        count = ops.maximum(ops.sum(found), 1.0)
        of_class = self.class_cost(labels, predictions["classes"]) * counts
        of_box = self._box_cost(boxes, predictions["boxes"], homes) * found
        return {
            "class_loss": ops.sum(of_class) / count,
            "box_loss": ops.sum(of_box) * self.box_weight / count,
        }

    def _box_cost(self, boxes, deltas, homes):
        if self.box_loss == "smooth_l1":
            wanted = coding.encode(boxes, homes)
            return ops.sum(regression.smooth_l1(deltas - wanted), axis=-1)
        return 1.0 - self.overlap(boxes, coding.decode(deltas, homes))

    def candidates(self, predictions, image_size, strides):
        homes = self._anchors(image_size, strides)
        boxes = coding.decode(predictions["boxes"], homes)
        return boxes, ops.sigmoid(predictions["classes"])


def _several(owner, name, values):
    known = isinstance(values, (list, tuple)) and len(values)
    if not known:
        _check.fail(owner, name, "one number or more, in a list", values)
    return tuple(_check.positive(owner, name, value) for value in values)
