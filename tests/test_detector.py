"""Detectors train in `fit` on augmentation's boxes and find objects in `predict`."""

import pathlib

import keras
import numpy as np
import pytest

from perfkit import augment, callbacks, layers, metrics
from tests.layer_conformance.common import numpy, policy

BOXES = {"boxes", "classes", "confidence"}
SLOW = pytest.mark.slow


def backbone(size=(32, 32), filters=(4, 8, 8, 8)):
    inputs = x = keras.Input((*size, 1), name="image")
    for number, count in enumerate(filters):
        x = keras.layers.Conv2D(
            count, 3, 2, padding="same", activation="relu", name=f"stage_{number}"
        )(x)
    return keras.Model(inputs, x, name="backbone")


def scenes(count, size=32, most=2, seed=0):
    """Bright and dark rectangles, by classes; some images have none."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0.0, 0.05, (count, size, size, 1)).astype("float32")
    boxes = np.zeros((count, most, 4), "float32")
    labels = np.full((count, most), -1, "int32")
    for image in range(count):
        for number in range(image % (most + 1)):
            width, height = rng.integers(8, size // 2, 2)
            x, y = rng.integers(size - width), rng.integers(size - height)
            kind = int(rng.integers(2))
            images[image, y : y + height, x : x + width] = 1.0 if kind else -1.0
            boxes[image, number] = (x, y, x + width, y + height)
            labels[image, number] = kind
    return images, {"boxes": boxes, "labels": labels}


def small(head="fcos", **more):
    arguments = {"depth": 1, "normalization": "batch"}
    made = {
        "fcos": lambda: layers.FCOSHead(2, reach=4.0, **arguments),
        "retinanet": lambda: layers.RetinaNetHead(2, scales=(2.0, 3.0), **arguments),
    }[head]()
    more = {"detections": 5, "candidates": 40, "levels": (4, 8), **more}
    return layers.detector(backbone(), 2, neck=layers.FPN(8), head=made, **more)


def in_tf_data(data, bounding_box_format="xyxy"):
    import tensorflow as tf

    pipeline = augment.Pipeline(
        [augment.RandomFlip("horizontal"), augment.RandomTranslation(0.1, 0.1)],
        bounding_box_format=bounding_box_format,
        seed=0,
    )
    images, boxes = data
    batches = tf.data.Dataset.from_tensor_slices(
        {"images": images, "bounding_boxes": boxes}
    ).batch(4, drop_remainder=True)
    return batches.map(pipeline).map(lambda x: (x["images"], x["bounding_boxes"]))


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("eagerly", [True, pytest.param(False, marks=SLOW)])
def test_boxes_of_augmentation_train_a_detector_and_detections_are_measured(eagerly):
    data, model = scenes(8), small()
    model.compile("adam", run_eagerly=eagerly, jit_compile=not eagerly)
    metric = metrics.MeanAveragePrecision(2)
    measured = callbacks.HostMetrics(
        metric, [data], names=["mean_average_precision_50"], every=2
    )
    learned = model.features.trainable_weights + model.neck.trainable_weights
    before = [numpy(weight) for weight in learned]
    history = model.fit(
        in_tf_data(data), epochs=2, shuffle=False, callbacks=[measured], verbose=0
    ).history
    assert {"loss", "class_loss", "box_loss", "center_loss"} < set(history)
    parts = [history[name][0] for name in ("class_loss", "box_loss", "center_loss")]
    assert abs(sum(parts) - history["loss"][0]) < 1e-4
    assert len(history["val_mean_average_precision_50"]) == 1
    after = [numpy(weight) for weight in learned]
    assert all(np.abs(a - b).max() > 0 for a, b in zip(after, before, strict=True))
    found = model.predict(data[0], batch_size=4, verbose=0)
    assert set(found) == BOXES
    assert found["boxes"].shape == (8, 5, 4)
    assert found["classes"].shape == found["confidence"].shape == (8, 5)


class Oracle(layers.FCOSHead):
    """Predicts what it is told."""

    told = None

    def call(self, inputs, training=None):
        super().call(inputs)
        return {name: keras.ops.convert_to_tensor(x) for name, x in self.told.items()}


def test_what_is_predicted_at_points_is_what_is_found():
    model = layers.detector(
        backbone(), 2, neck=layers.FPN(8), head=Oracle(2), levels=(4, 8), detections=3
    )
    # 8 x 8 places of stride 4, then 4 x 4 of stride 8.
    told = {
        "classes": np.full((1, 80, 2), -20.0, "float32"),
        "boxes": np.zeros((1, 80, 4), "float32"),
        "centers": np.full((1, 80, 1), 20.0, "float32"),
    }
    wanted = np.array([6.0, 5.0, 20.0, 30.0])
    at = 2 * 8 + 3  # the middle of this place is (14, 10)
    edges = np.array([14 - 6.0, 10 - 5.0, 20.0 - 14, 30.0 - 10])
    told["boxes"][0, at] = np.log(edges / 4.0)
    told["classes"][0, at, 1] = 4.0
    told["boxes"][0, at + 1] = np.log(
        (edges + np.array([4, 0, -4, 0])) / 4.0
    )  # the same one
    told["classes"][0, at + 1, 1] = 3.0
    last = 64 + 4 * 3 + 3  # at (28, 28)
    told["boxes"][0, last] = np.log(np.array([8.0, 8.0, 16.0, 16.0]) / 8.0)
    told["classes"][0, last, 0] = 3.5
    told["centers"][0, last] = 0.0
    model.head.told = told
    found = model.decode(model(np.zeros((1, 32, 32, 1))), (32, 32))
    found = {name: numpy(x)[0] for name, x in found.items()}
    assert found["classes"].tolist() == [1, 0, -1]
    np.testing.assert_allclose(found["boxes"][0], wanted, rtol=1e-5)
    np.testing.assert_allclose(found["boxes"][1], [20, 20, 32, 32], rtol=1e-5)  # cut
    sure = np.sqrt([1 / (1 + np.exp(-4.0)), 0.5 / (1 + np.exp(-3.5)), 0.0])
    np.testing.assert_allclose(found["confidence"], sure, rtol=1e-5)


@pytest.mark.parametrize("head", ["fcos", "retinanet"])
def test_formats_of_boxes_cost_and_find_the_same(head):
    images, boxes = scenes(3)
    model = small(head)
    other = small(head, bounding_box_format="rel_center_xywh")
    other.set_weights(model.get_weights())
    corners = boxes["boxes"]
    center = (corners[..., :2] + corners[..., 2:]) / 2 / 32
    sides = (corners[..., 2:] - corners[..., :2]) / 32
    relative = {**boxes, "boxes": np.concatenate([center, sides], axis=-1)}
    predictions = model(images)
    cost = model.compute_loss(images, boxes, predictions)
    np.testing.assert_allclose(
        float(other.compute_loss(images, relative, predictions)), float(cost), rtol=1e-5
    )
    found = numpy(model.decode(predictions, (32, 32))["boxes"])
    again = numpy(other.decode(predictions, (32, 32))["boxes"]) * 32
    low, high = again[..., :2] - again[..., 2:] / 2, again[..., :2] + again[..., 2:] / 2
    np.testing.assert_allclose(np.concatenate([low, high], -1), found, atol=1e-4)


@pytest.mark.parametrize(
    ("most", "eagerly"), [(0, True), (2, True), pytest.param(0, False, marks=SLOW)]
)
def test_images_without_objects_train_without_nan(most, eagerly):
    images, _ = scenes(2)
    boxes = {
        "boxes": np.zeros((2, most, 4), "float32"),
        "labels": np.full((2, most), -1, "int32"),
    }
    model = small()
    model.compile("sgd", jit_compile=not eagerly, run_eagerly=eagerly)
    assert np.isfinite(model.fit(images, boxes, verbose=0).history["loss"]).all()
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_a_file_holds_all_of_a_detector(tmp_path):
    images, boxes = scenes(4)
    model = small(score=0.001, name="finder")
    model.compile(keras.optimizers.SGD(0.01), run_eagerly=True, jit_compile=False)
    model.fit(images, boxes, verbose=0)
    path = pathlib.Path(tmp_path) / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    assert type(loaded) is layers.Detector
    assert loaded.name == "finder"
    assert (loaded.score, loaded.strides) == (0.001, [4, 8])
    for name, values in loaded(images).items():
        np.testing.assert_array_equal(numpy(values), numpy(model(images)[name]))
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
    loaded.fit(images, boxes, verbose=0)  # still compiled


def test_a_backbone_of_any_size_and_one_inside_another():
    inner = backbone((None, None))
    outer = keras.Sequential([keras.Input((None, None, 1)), inner])
    model = layers.detector(outer, 2, neck=layers.FPN(4), levels=(4, "stage_2"))
    assert model.strides == [4, 8]
    assert [x.name for x in inner.layers[1:4]] == ["stage_0", "stage_1", "stage_2"]
    wanted = keras.Model(inner.input, inner.get_layer("stage_2").output)
    images = scenes(1, size=48)[0]
    np.testing.assert_array_equal(
        numpy(model.features(images)[1]), numpy(wanted(images))
    )
    assert model(images)["boxes"].shape == (1, 12 * 12 + 6 * 6, 4)


def test_the_last_layer_of_a_stride_makes_its_map():
    inputs = keras.Input((16, 16, 1))
    x = first = keras.layers.Conv2D(3, 3, 4, padding="same")(inputs)
    last = keras.layers.Conv2D(5, 1)(first)
    x = keras.layers.Conv2D(2, 3, 2, padding="same")(last)
    model = layers.detector(keras.Model(inputs, x), 1, neck="pan", levels=(4, 8))
    assert [map_.shape[-1] for map_ in model.features.outputs] == [5, 2]


def test_a_frozen_backbone_stays_frozen():
    frozen = backbone()
    frozen.trainable = False
    model = layers.detector(frozen, 2, neck=layers.FPN(4), levels=(4, 8))
    assert not model.features.trainable_weights
    assert len(model.features.weights) == 2 * 3


def test_mixed_precision_costs_float32():
    images, boxes = scenes(2)
    with policy("mixed_bfloat16"):
        model = small()
        predictions = model(images)
        cost = model.compute_loss(images, boxes, predictions)
    assert keras.backend.standardize_dtype(cost.dtype) == "float32"
    assert np.isfinite(float(cost))
    found = model.decode(predictions, (32, 32))
    assert keras.backend.standardize_dtype(found["boxes"].dtype) == "float32"


def test_penalties_of_layers_are_part_of_the_loss():
    images, boxes = scenes(2)
    model = small()
    predictions = model(images)
    before = float(model.compute_loss(images, boxes, predictions))
    kernel = model.features.get_layer("stage_0")
    kernel.kernel.regularizer = keras.regularizers.L2(0.5)
    penalty = 0.5 * np.square(numpy(kernel.kernel)).sum()
    after = float(model.compute_loss(images, boxes, predictions))
    np.testing.assert_allclose(after - before, penalty, rtol=1e-3)


def _fit(y, **arguments):
    model = small()
    model.compile("sgd", jit_compile=False, run_eagerly=True)
    model.fit(scenes(2)[0], y, verbose=0, **arguments)


@pytest.mark.parametrize(
    ("make", "kind", "wording"),
    [
        (lambda: small(levels=(8, 64)), ValueError, "strides that the backbone has"),
        (lambda: small(levels=(4, 16)), ValueError, "half as large"),
        (lambda: small(levels=("stage_9",)), ValueError, r"levels=...\)"),
        (lambda: small(levels=4), ValueError, r"levels=...\)"),
        (lambda: layers.detector(backbone(), 3, head="ssd"), ValueError, "retinanet"),
        (
            lambda: layers.detector(backbone(), 3, head=layers.FCOSHead(2)),
            ValueError,
            "of 3 classes",
        ),
        (
            lambda: layers.detector(
                backbone(), 2, neck=layers.FPN(data_format="channels_first")
            ),
            ValueError,
            "data_format='channels_last'",
        ),
        (lambda: small(bounding_box_format="coco"), ValueError, "rel_xywh"),
        (lambda: small(iou=1.5), ValueError, r"Detector\(iou=...\)"),
        (lambda: small().compile("sgd", loss="mse"), ValueError, "compile.loss"),
        (lambda: small().compile(metrics=["mae"]), ValueError, "HostMetrics"),
        (lambda: _fit(np.zeros((2, 3, 4))), ValueError, r"Detector\(y=...\)"),
        (lambda: _fit({"boxes": np.zeros((2, 3, 4))}), ValueError, r"\(y=...\)"),
        (
            lambda: _fit(scenes(2)[1], sample_weight=np.ones(2)),
            ValueError,
            "sample_weight",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, kind, wording):
    with pytest.raises(kind, match=wording):
        make()


@SLOW
@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("head", ["fcos", "retinanet"])
def test_a_handful_of_scenes_is_learned_by_heart(head):
    images, boxes = scenes(12)
    model = small(head)
    model.compile(keras.optimizers.Adam(5e-3), jit_compile=True)
    model.fit(images, boxes, batch_size=12, epochs=150, verbose=0)
    metric = metrics.MeanAveragePrecision(2)
    metric.update_state(boxes, model.predict(images, verbose=0))
    assert metric.result()["mean_average_precision_50"] > 0.9


@SLOW
def test_a_backbone_of_keras_applications():
    made = keras.applications.MobileNetV2((64, 64, 3), 0.35, False, None)
    model = layers.detector(made, 2, neck=layers.FPN(8), detections=4)
    assert model.strides == [8, 16, 32]
    model.compile("adam", jit_compile=False)
    images = np.random.default_rng(0).normal(size=(2, 64, 64, 3)).astype("float32")
    boxes = scenes(2, size=64)[1]
    assert np.isfinite(model.fit(images, boxes, verbose=0).history["loss"][0])
    assert model.predict(images, verbose=0)["boxes"].shape == (2, 4, 4)
