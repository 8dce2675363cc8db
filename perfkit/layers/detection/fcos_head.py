"""Objects at the points that lie near their middle."""

import math

import keras

from perfkit import _check
from perfkit._backend import ops
from perfkit.layers.detection.detection_head import DetectionHead
from perfkit.ops.detection import assignment, coding, points, regression

_MOST = math.log(1000.0 / 16.0)  # strides from a point to an edge, at most


@keras.saving.register_keras_serializable(package="perfkit")
class FCOSHead(DetectionHead):
    """Predict at each point whether it lies in an object, and where the edges are.

    Without anchors. An object is to be found at the points near its middle, on the map
    that suits its size. Distances are in strides of the map, times a learned number for
    each map. How near the middle a point is, is predicted too, and makes points
    farther off less sure.

    Args:
        classes: See `DetectionHead`.
        reach: How far the farthest edge of an object may be from the points of a map,
            in strides of it; what is farther is for the next map. Above 0.
        radius: How far from the middle of an object points may be, in strides; `None`
            for all of it. Above 0.
        box_loss: `"giou"` or `"ciou"`.
        **kwargs: See `DetectionHead` (`filters`, `depth`, `normalization`, `alpha`,
            `gamma`, `box_weight`, `prior`, `data_format`).

    Shape:
        A list of `(batch, height, width, channels)`, finest first, or channels first;
        a dict of logits `"classes"` `(batch, n, classes)`, distances `"boxes"` `(batch,
        n, 4)`, as logarithms of strides, and logits `"centers"` `(batch, n, 1)`, where
        n is the number of places of all maps.

    Raises:
        ValueError: If an argument is out of bounds, or maps differ in channels.

    Example:
        >>> import numpy as np
        >>> maps = [np.ones((1, 8, 8, 6)), np.ones((1, 4, 4, 6))]
        >>> tuple(FCOSHead(3)(maps)["classes"].shape)
        (1, 80, 3)

    Reference: Tian et al., FCOS, 2019, arXiv 1904.01355, with the later changes of the
        authors: points near the middle, boxes weighed by how near, which is predicted
        beside the boxes, and the root of the product as score. Distances are
        exponentials, as in the paper.
    """

    cost_names = ("class_loss", "box_loss", "center_loss")

    def __init__(self, classes, *, reach=8.0, radius=1.5, box_loss="giou", **kwargs):
        super().__init__(classes, box_loss=box_loss, **kwargs)
        self.reach = _check.positive("FCOSHead", "reach", reach)
        if radius is not None:
            radius = _check.positive("FCOSHead", "radius", radius)
        self.radius = radius

    def entries(self):
        return {"classes": (1, self.classes), "boxes": (1, 4), "centers": (1, 1)}

    def prepare(self, filters, maps):
        self.classify = self.last(filters, self.classes, "classify", self.rare())
        self.locate = self.last(filters, 4, "locate")
        self.center = self.last(filters, 1, "center")
        self.scales = self.add_weight(shape=(maps,), initializer="ones", name="scales")

    def predict(self, seen, number):
        boxes = self.locate(seen["boxes"])
        return {
            "classes": self.classify(seen["classes"]),
            "boxes": boxes * ops.cast(self.scales[number], boxes.dtype),
            "centers": self.center(seen["boxes"]),
        }

    def costs(self, predictions, boxes, labels, image_size, strides):
        height, width = image_size
        locations, stride_of = points.points(height, width, strides)
        ranges = points.ranges(stride_of, self.reach)
        index = assignment.fcos(
            locations, stride_of, boxes, labels, ranges, self.radius
        )
        found = ops.cast(index >= 0, "float32")
        boxes = regression.matched(boxes, index)
        labels = regression.matched(labels[..., None], index)[..., 0]
        labels = ops.where(index >= 0, labels, -1)
        near = found * regression.centerness(coding.distances(locations, boxes))
        logits = predictions["centers"][..., 0]
        overlap = self.overlap(boxes, self._boxes(predictions, locations, stride_of))
        count = ops.maximum(ops.sum(found), 1.0)
        mass = ops.maximum(ops.sum(near), 1.0)
        of_class = self.class_cost(labels, predictions["classes"])
        return {
            "class_loss": ops.sum(of_class) / count,
            "box_loss": ops.sum((1.0 - overlap) * near) * self.box_weight / mass,
            "center_loss": ops.sum(found * (ops.softplus(logits) - near * logits))
            / count,
        }

    def _boxes(self, predictions, locations, stride_of):
        distances = ops.exp(ops.minimum(predictions["boxes"], _MOST))
        return coding.from_distances(locations, distances, stride_of)

    def candidates(self, predictions, image_size, strides):
        height, width = image_size
        boxes = self._boxes(predictions, *points.points(height, width, strides))
        scores = ops.sigmoid(predictions["classes"]) * ops.sigmoid(
            predictions["centers"]
        )
        return boxes, ops.sqrt(scores)
