"""`suppressed` against a greedy loop in plain Python, and against TensorFlow's own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit._backend import compiled
from perfkit.ops.detection.suppression import suppressed


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    areas = sum((x[2] - x[0]) * (x[3] - x[1]) for x in (a, b))
    return both / (areas - both) if areas > both else 0.0


def greedy(boxes, scores, iou, score, detections, candidates):
    """Of one image: (box, class, score) of what is kept."""
    sure = [
        (-float(scores[n, k]), n, k)
        for n in range(len(boxes))
        for k in range(scores.shape[1])
    ]
    kept = []
    for value, n, k in sorted(sure)[:candidates]:
        if -value <= score:
            break
        others = [boxes[m].astype(float) for m, c, _ in kept if c == k]
        if all(overlap(boxes[n].astype(float), other) <= iou for other in others):
            kept.append((n, k, -value))
    return [(boxes[n], k, value) for n, k, value in kept[:detections]]


def scene(seed, batch=3, count=60, classes=3, whole=False):
    draw = np.random.default_rng(seed)
    low = draw.uniform(0, 40, (batch, count, 2))
    boxes = np.concatenate([low, low + draw.uniform(4, 30, low.shape)], axis=-1)
    scores = draw.uniform(0, 1, (batch, count, classes))
    if whole:  # overlaps of exactly a half, and many equal scores
        boxes, scores = np.round(boxes / 4) * 4, np.round(scores * 6) / 6
        boxes[..., 2:] = np.maximum(boxes[..., 2:], boxes[..., :2] + 4)
    return boxes.astype("float32"), scores.astype("float32")


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("iou", "score", "detections", "candidates"),
    [
        (0.5, 0.05, 100, 1000),
        (0.5, 0.05, 10, 1000),
        (0.2, 0.5, 30, 40),
        (0.9, 0.0, 200, 90),
    ],
)
def test_it_keeps_what_a_greedy_loop_keeps(iou, score, detections, candidates, whole):
    boxes, scores = scene(int(whole), whole=whole)
    settings = (iou, score, detections, candidates)
    found = suppressed(boxes, scores, *settings)
    assert found["boxes"].shape == (3, detections, 4)
    for image in range(3):
        expected = greedy(boxes[image], scores[image], *settings)
        each = {name: numpy(x)[image] for name, x in found.items()}
        many = len(expected)
        assert many
        np.testing.assert_array_equal(each["classes"][many:], -1)
        assert not each["boxes"][many:].any()
        assert not each["confidence"][many:].any()
        for k, (box, kind, value) in enumerate(expected):
            np.testing.assert_array_equal(each["boxes"][k], box)
            assert each["classes"][k] == kind
            assert each["confidence"][k] == np.float32(value)


def test_it_keeps_what_tensorflow_keeps():
    boxes, scores = scene(2, count=100)
    found = suppressed(boxes, scores, 0.4, 0.1, 300, 300)
    theirs = tf.image.combined_non_max_suppression(
        boxes[:, :, None],
        scores,
        max_output_size_per_class=300,
        max_total_size=300,
        iou_threshold=0.4,
        score_threshold=0.1,
        clip_boxes=False,
    )
    many = theirs.valid_detections.numpy()
    np.testing.assert_array_equal((numpy(found["classes"]) >= 0).sum(axis=1), many)
    for image, count in enumerate(many):
        for name, expected in [
            ("boxes", theirs.nmsed_boxes),
            ("classes", theirs.nmsed_classes),
            ("confidence", theirs.nmsed_scores),
        ]:
            np.testing.assert_array_equal(
                numpy(found[name])[image, :count], expected[image, :count]
            )


def test_what_a_suppressed_box_would_suppress_is_kept():
    left = np.arange(12.0) * 4.0  # each overlaps the next one by more than a half
    boxes = np.stack([left, 0 * left, left + 16.0, 0 * left + 10.0], axis=-1)[None]
    scores = np.linspace(0.9, 0.3, 12)[None, :, None]
    found = suppressed(boxes, scores, detections=20)
    kept = numpy(found["boxes"])[0, :, 0][numpy(found["classes"])[0] >= 0]
    np.testing.assert_array_equal(kept, left[::2])


def test_classes_do_not_suppress_each_other():
    boxes = np.array([[[0.0, 0.0, 9.0, 9.0], [0.0, 0.0, 9.0, 8.0]]])
    scores = np.array([[[0.9, 0.1], [0.2, 0.8]]])
    found = suppressed(boxes, scores, detections=4)
    np.testing.assert_array_equal(numpy(found["classes"]), [[0, 1, -1, -1]])
    assert numpy(found["confidence"])[0, :2].tolist() == pytest.approx([0.9, 0.8])


def test_nothing_sure_enough_leaves_padding_alone():
    boxes, scores = scene(3)
    found = suppressed(boxes, scores, score=1.0, detections=5)
    assert (numpy(found["classes"]) == -1).all()


def test_it_compiles_to_the_same():
    boxes, scores = scene(4)
    expected = suppressed(boxes, scores, detections=20)
    found = compiled(lambda b, s: suppressed(b, s, detections=20))(boxes, scores)
    for name in expected:
        np.testing.assert_array_equal(numpy(found[name]), numpy(expected[name]))


class Suppressed(keras.layers.Layer):
    def call(self, boxes, scores):
        return suppressed(boxes, scores, detections=20)


@pytest.mark.parametrize("jit", [True, False])
def test_it_works_in_a_model_of_any_batch(jit):
    inputs = keras.Input((60, 4)), keras.Input((60, 3))
    model = keras.Model(inputs, Suppressed()(*inputs))
    assert model.output["boxes"].shape == (None, 20, 4)
    model.compile(jit_compile=jit)
    boxes, scores = scene(5)
    found = model.predict([boxes, scores], batch_size=2, verbose=0)
    expected = suppressed(boxes, scores, detections=20)
    for name in expected:
        np.testing.assert_allclose(found[name], numpy(expected[name]), atol=1e-6)
