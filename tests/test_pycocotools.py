"""`metrics.MeanAveragePrecision` against COCO's own evaluation."""

import contextlib
import io

import numpy as np
import pytest

from perfkit.metrics import MeanAveragePrecision

coco = pytest.importorskip("pycocotools.coco")
cocoeval = pytest.importorskip("pycocotools.cocoeval")

CLASSES = 4
NAMES = [
    "mean_average_precision",
    "mean_average_precision_50",
    "mean_average_precision_75",
    "mean_average_precision_small",
    "mean_average_precision_medium",
    "mean_average_precision_large",
    "mean_average_recall_1",
    "mean_average_recall_10",
    "mean_average_recall_100",
    "mean_average_recall_small",
    "mean_average_recall_medium",
    "mean_average_recall_large",
]


def theirs(scenes, detections=(1, 10, 100)):
    """The twelve figures, -1 where there is no object, and the precisions."""
    annotations, results = [], []
    for image, (objects, found) in enumerate(scenes, 1):
        for box, label, crowd, area in zip(*objects, strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": [*map(float, box)],
                    "iscrowd": int(crowd),
                    "area": float(area),
                }
            )
        for box, label, score in zip(*found, strict=True):
            results.append(
                {
                    "image_id": image,
                    "category_id": int(label),
                    "bbox": [*map(float, box)],
                    "score": float(score),
                }
            )
    truth = coco.COCO()
    truth.dataset = {
        "images": [{"id": k} for k in range(1, len(scenes) + 1)],
        "categories": [{"id": k} for k in range(CLASSES)],
        "annotations": annotations,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        judge = cocoeval.COCOeval(truth, truth.loadRes(results), "bbox")
        judge.params.maxDets = [*detections]
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge.stats, judge.eval["precision"][:, :, :, 0, -1]


def padded(rows, fill=0.0):
    width = max(len(row) for row in rows) + 1
    shape = np.shape(next((row for row in rows if len(row)), []))[1:]
    out = np.full((len(rows), width, *shape), fill, float)
    for k, row in enumerate(rows):
        if len(row):
            out[k, : len(row)] = row
    return out


def batch_of(scenes):
    objects = [np.array(x, object) for x in zip(*(s[0] for s in scenes), strict=True)]
    found = [np.array(x, object) for x in zip(*(s[1] for s in scenes), strict=True)]
    true = {
        "boxes": padded(objects[0]) if any(map(len, objects[0])) else None,
        "labels": padded(objects[1], -1),
        "crowd": padded(objects[2]),
        "areas": padded(objects[3]),
    }
    if true["boxes"] is None:
        true["boxes"] = np.zeros((*true["labels"].shape, 4))
    predicted = {
        "boxes": padded(found[0]) if any(map(len, found[0])) else None,
        "classes": padded(found[1], -1),
        "confidence": padded(found[2]),
    }
    if predicted["boxes"] is None:
        predicted["boxes"] = np.zeros((*predicted["classes"].shape, 4))
    return true, predicted


def scenes_of(seed, images=12, whole=False, most=12, extra=8, largest=160):
    """Random scenes in `xywh`: objects found more or less well, missed, made up."""
    draw = np.random.default_rng(seed)
    scenes = []
    for _ in range(images):
        many = draw.integers(0, most)
        sizes = np.exp(draw.uniform(np.log(4), np.log(largest), (many, 2)))
        boxes = np.concatenate([draw.uniform(0, 200, (many, 2)), sizes], axis=1)
        labels = draw.integers(0, CLASSES - 1, many)  # of the last one there is none
        crowd = draw.random(many) < 0.2
        found = boxes + np.tile(sizes, 2) * draw.normal(0.0, 0.06, boxes.shape)
        kinds = np.where(
            draw.random(many) < 0.8, labels, draw.integers(0, CLASSES, many)
        )
        kept = draw.random(many) < 0.9
        more = np.concatenate(
            [draw.uniform(0, 200, (extra, 2)), draw.uniform(4, 100, (extra, 2))], axis=1
        )
        found = np.concatenate([found[kept], found[kept] * 1.02, more])
        kinds = np.concatenate(
            [kinds[kept], kinds[kept], draw.integers(0, CLASSES, extra)]
        )
        if whole:  # with which many overlaps and areas are exactly on a threshold
            boxes, found = (np.round(x / 8) * 8 for x in (boxes, found))
            boxes[:, 2:], found[:, 2:] = (
                np.maximum(x[:, 2:], 8) for x in (boxes, found)
            )
        # As few as eleven different ones: ties.
        scores = draw.integers(0, 11, len(found)) / 10 if whole else None
        if scores is None:  # surer of what is there
            scores = draw.random(len(found))
            scores[:-extra] += 1.0
        areas = boxes[:, 2] * boxes[:, 3] * draw.choice([1.0, 0.6], many)
        scenes.append(((boxes, labels, crowd, areas), (found, kinds, scores)))
    return scenes


def compare(scenes, batch=5, **arguments):
    metric = MeanAveragePrecision(
        CLASSES, bounding_box_format="xywh", ious=None, **arguments
    )
    for start in range(0, len(scenes), batch):
        metric.update_state(*batch_of(scenes[start : start + batch]))
    expected, precision = theirs(scenes, arguments.get("detections", (1, 10, 100)))
    figures = metric.result()
    values = [figures[name] for name in NAMES if name in figures]
    expected = np.where(expected == -1, np.nan, expected)
    np.testing.assert_allclose(values, expected, atol=1e-12)
    each = precision.mean(axis=(0, 1))
    each = np.where(each == -1, np.nan, each)
    np.testing.assert_allclose(metric.per_class(), each, atol=1e-12)
    return figures


@pytest.mark.parametrize("seed", range(3))
def test_random_scenes_with_crowds_are_judged_as_by_coco(seed):
    figures = compare(scenes_of(seed))
    assert 0.1 < figures["mean_average_precision"] < 0.9


@pytest.mark.parametrize("seed", range(3))
def test_ties_of_scores_overlaps_and_areas_go_as_with_coco(seed):
    compare(scenes_of(seed, whole=True))


def test_of_objects_overlapped_alike_coco_takes_the_last():
    objects = np.array([[0.0, 0, 8, 16], [0, 4, 8, 16]])
    found = np.array([[0.0, 2, 8, 16], [0, 0, 8, 16]])
    zeros = np.zeros(2)
    scene = ((objects, zeros, zeros, [128.0] * 2), (found, zeros, [0.9, 0.8]))
    assert compare([scene])["mean_average_precision_75"] == 1.0


def test_more_detections_than_count_are_cut_off_as_by_coco():
    compare(scenes_of(5, images=3, extra=900))
    compare(scenes_of(6, images=3, most=30))


def test_images_without_objects_or_detections_count_as_with_coco():
    scenes = scenes_of(7, images=6)
    nothing = (np.zeros((0, 4)), np.zeros(0), np.zeros(0), np.zeros(0))
    scenes[1] = (nothing, scenes[1][1])
    scenes[3] = (scenes[3][0], nothing[:3])
    scenes[4] = (nothing, nothing[:3])
    compare(scenes, batch=1)
    compare(scenes, batch=6)


def test_sizes_that_do_not_occur_have_no_figure():
    figures = compare(scenes_of(8, largest=20))
    assert np.isnan(figures["mean_average_precision_large"])
    assert np.isnan(figures["mean_average_recall_medium"])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 40))
def test_many_random_scenes_are_judged_as_by_coco(seed):
    compare(scenes_of(seed, images=20, whole=bool(seed % 2), most=25, extra=40))
