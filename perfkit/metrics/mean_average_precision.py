"""Mean average precision of detections, as COCO defines it."""

from typing import Any

import numpy as np

from perfkit import _check
from perfkit.ops import boxes as geometry
from perfkit.ops.detection import average_precision

_OWNER = "MeanAveragePrecision"
_IOUS = tuple(float(iou) for iou in np.linspace(0.5, 0.95, 10))
_WIDEST = 1e10
_SIZES = ("small", "medium", "large")


class MeanAveragePrecision:
    """Measure detections of a whole data set by COCO's average precision and recall.

    It works on the host: how many detections there are differs from image to image, and
    how sure each is matters only beside all the others. So it is no
    `keras.metrics.Metric` and cannot be given to `compile`;
    `perfkit.callbacks.HostMetrics` puts it into the logs of `fit`. What is kept is
    about 100 bytes a detection, not the boxes.

    Args:
        classes: How many classes there are.
        bounding_box_format: Of objects and detections; see `perfkit.augment`.
        image_size: `(height, width)` in pixels, for formats that begin with "rel_".
        ious: Intersections over union that make a match, in rising order, each within
            [0, 1]. `None` for COCO's, 0.5 to 0.95 in steps of 0.05.
        areas: Where small objects end and where large ones begin, in square pixels.
        detections: The surest of each class in an image that count, whole numbers in
            rising order. Recall is reported for each, all else for the last.
        name: What names in the results begin with.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> metric = MeanAveragePrecision(classes=2)
        >>> box = [[[10.0, 10.0, 50.0, 50.0]]]
        >>> metric.update_state(
        ...     {"boxes": box, "labels": [[1]]},
        ...     {"boxes": box, "classes": [[1]], "confidence": [[0.9]]},
        ... )
        >>> round(metric.result()["mean_average_precision_50"], 6)
        1.0

    Reference: Lin et al., Microsoft COCO, 2014, arXiv 1405.0312, and the evaluation
        that belongs to it. Where it says -1, for want of objects, this says NaN.
    """

    def __init__(
        self,
        classes,
        *,
        bounding_box_format="xyxy",
        image_size=None,
        ious=None,
        areas=(32.0**2, 96.0**2),
        detections=(1, 10, 100),
        name="mean_average_precision",
    ):
        self.classes = _check.integer(_OWNER, "classes", classes)
        self.bounding_box_format = _check.one_of(
            _OWNER, "bounding_box_format", bounding_box_format, geometry.FORMATS
        )
        if image_size is not None:
            image_size = _check.whole_numbers(
                _OWNER, "image_size", image_size, 2, 1, 2**24
            )
        elif bounding_box_format.startswith("rel_"):
            expected = f"(height, width), for boxes in {bounding_box_format!r}"
            _check.fail(_OWNER, "image_size", expected, image_size)
        self.image_size = image_size
        ious = _IOUS if ious is None else ious
        known = isinstance(ious, (list, tuple)) and ious and [*ious] == sorted({*ious})
        if not known:
            _check.fail(_OWNER, "ious", "numbers in rising order", ious)
        self.ious = tuple(_check.unit(_OWNER, "ious", iou) for iou in ious)
        self.areas = _check.pair(_OWNER, "areas", areas, 0.0, _WIDEST)
        if isinstance(detections, int) and not isinstance(detections, bool):
            detections = (detections,)
        self.detections = tuple(_check.rising(_OWNER, "detections", detections))
        self.name = _check.instance(_OWNER, "name", name, str)
        small, large = self.areas
        self._ranges = np.array(
            [(0.0, _WIDEST), (0.0, small), (small, large), (large, _WIDEST)]
        )
        self._corners = _corners(bounding_box_format, image_size)
        self.reset_state()

    def reset_state(self):
        """Forget all images."""
        self._objects = np.zeros((self.classes, len(self._ranges)), "int64")
        self._found: list[list[Any]] = [[] for _ in range(self.classes)]

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch of images.

        Args:
            y_true: `{"boxes": (batch, m, 4), "labels": (batch, m)}`, as augmentation
                has them; the label -1 marks padding. It may have "crowd" `(batch, m)`,
                true where a box is around many objects, which then may be found any
                number of times and need not, and "areas" `(batch, m)`, in square
                pixels, where those of the boxes are not to be taken.
            y_pred: `{"boxes": (batch, n, 4), "classes": (batch, n), "confidence":
                (batch, n)}`; the class -1 marks padding.
            sample_weight: None; images are not weighted.

        Raises:
            ValueError: If something is missing, does not fit or is no class.
        """
        if sample_weight is not None:
            _check.fail(_OWNER, "sample_weight", "None", sample_weight)
        objects = _arrays("y_true", y_true, ("boxes", "labels"), ("crowd", "areas"))
        found = _arrays("y_pred", y_pred, ("boxes", "classes", "confidence"))
        if len(objects["boxes"]) != len(found["boxes"]):
            expected = f"of the {len(objects['boxes'])} images of `y_true`"
            _check.fail(_OWNER, "y_pred", expected, found["boxes"])
        self._check_classes("labels", objects["labels"])
        self._check_classes("classes", found["classes"])
        objects["boxes"] = objects["boxes"] @ self._corners
        found["boxes"] = found["boxes"] @ self._corners
        for image in range(len(found["boxes"])):
            self._add(
                {name: x[image] for name, x in objects.items()},
                {name: x[image] for name, x in found.items()},
            )

    def _check_classes(self, name, values):
        if values.size and not (values.min() >= -1 and values.max() < self.classes):
            expected = f"of whole numbers within [-1, {self.classes - 1}]"
            wrong = values[(values < -1) | (values >= self.classes)]
            _check.fail(_OWNER, name, expected, wrong.ravel()[:3].tolist())

    def _add(self, objects, found):
        """Match the detections of one image."""
        crowd = objects.get("crowd", np.zeros(len(objects["labels"]))).astype(bool)
        areas = objects.get("areas", average_precision.areas(objects["boxes"]))
        ignored = crowd | self._outside(areas)
        for kind in np.union1d(objects["labels"], found["classes"]).astype(int):
            if kind < 0:
                continue
            own = objects["labels"] == kind
            self._objects[kind] += (~ignored[:, own]).sum(axis=1)
            some = np.flatnonzero(found["classes"] == kind)
            order = np.argsort(-found["confidence"][some], kind="stable")
            some = some[order[: self.detections[-1]]]
            boxes = found["boxes"][some]
            matched, for_nothing = average_precision.matches(
                average_precision.overlaps(boxes, objects["boxes"][own], crowd[own]),
                crowd[own],
                ignored[:, own],
                np.array(self.ious),
            )
            outside = self._outside(average_precision.areas(boxes))[:, None]
            self._found[kind].append(
                {
                    "confidence": found["confidence"][some],
                    "rank": np.arange(len(some)),
                    "matched": matched,
                    "ignored": for_nothing | (~matched & outside),
                }
            )

    def _outside(self, areas):
        low, high = self._ranges[:, :1], self._ranges[:, 1:]
        return (areas < low) | (areas > high)

    def _curves(self, kind, which=0, detections=None):
        """Precisions `(ious, 101)` and recalls `(ious,)`; None without an object."""
        objects = self._objects[kind, which]
        if not objects:
            return None
        parts = self._found[kind]
        confidence, rank = (
            np.concatenate([part[name] for part in parts])
            for name in ("confidence", "rank")
        )
        kept = np.flatnonzero(rank < (detections or self.detections[-1]))
        order = kept[np.argsort(-confidence[kept], kind="stable")]
        matched, ignored = (
            np.concatenate([part[name][which] for part in parts], axis=-1)[:, order]
            for name in ("matched", "ignored")
        )
        return average_precision.curve(matched, ignored, objects)

    def _all(self, which=0, detections=None):
        """The curves of the classes that have an object."""
        curves = [self._curves(kind, which, detections) for kind in range(self.classes)]
        return [curve for curve in curves if curve is not None]

    def result(self):
        """Figures of all images so far, by name.

        `mean_average_precision` is the mean over classes and `ious`; with `_50` and
        `_75` that of one of `ious`, with `_small`, `_medium` and `_large` that of
        objects of a size. `mean_average_recall` is the share of objects that are found,
        with the number of detections, or a size, behind it. NaN where there is no
        object.
        """
        recall = f"{self.name.removesuffix('_precision')}_recall"
        curves = self._all()
        figures = {self.name: _mean([precision for precision, _ in curves])}
        for percent in (50, 75):
            at = np.flatnonzero(np.isclose(self.ious, percent / 100.0))
            if at.size:
                values = [precision[at[0]] for precision, _ in curves]
                figures[f"{self.name}_{percent}"] = _mean(values)
        for many in self.detections:
            values = [recalls for _, recalls in self._all(detections=many)]
            figures[f"{recall}_{many}"] = _mean(values)
        for which, size in enumerate(_SIZES, 1):
            curves = self._all(which)
            figures[f"{self.name}_{size}"] = _mean([curve[0] for curve in curves])
            figures[f"{recall}_{size}"] = _mean([curve[1] for curve in curves])
        return figures

    def per_class(self):
        """Average precision of each class, `(classes,)`; NaN where it has no object."""
        curves = [self._curves(kind) for kind in range(self.classes)]
        return np.array([np.nan if c is None else _mean([c[0]]) for c in curves])


def _mean(values):
    return float(np.mean(values)) if len(values) else float("nan")


def _corners(bounding_box_format, image_size):
    """The matrix that makes pixel corners of boxes: formats are linear."""
    height, width = image_size or (1, 1)
    rows = np.eye(4, dtype="float32")
    moved = geometry.to_xyxy(rows, bounding_box_format, height, width)
    return np.asarray(moved).astype("float64")


def _arrays(name, given, needed, more=()) -> dict[str, Any]:
    """The entries as arrays, float64 and whole numbers, of shapes that fit."""
    there = isinstance(given, dict) and {k for k, x in given.items() if x is not None}
    if not there or not set(needed) <= there:
        expected = f"a dictionary with {', '.join(map(repr, needed))}"
        got = sorted(there) if there else given
        _check.fail(_OWNER, name, expected, got)
    arrays: dict[str, Any] = {
        key: np.asarray(given[key]) for key in (*needed, *more) if key in there
    }
    places = arrays["boxes"].shape[:-1]
    for key, array in arrays.items():
        shape = (*places, 4) if key == "boxes" else places
        if len(places) != 2 or array.shape != shape:
            expected = "`(batch, n, 4)` boxes and `(batch, n)` of all else"
            got = {key: x.shape for key, x in arrays.items()}
            _check.fail(_OWNER, name, expected, got)
        kind = "int64" if key in ("labels", "classes") else "float64"
        arrays[key] = array.astype(kind)
    return arrays
