"""Mean average precision in the logs of `fit`, and what the metric takes."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit.callbacks import HostMetrics
from perfkit.metrics import MeanAveragePrecision

DRAW = np.random.default_rng(0)
X = DRAW.normal(size=(10, 3)).astype("float32")
BOX = [10.0, 10.0, 50.0, 40.0]
OBJECTS = {"boxes": np.array([[BOX]] * 10), "labels": np.array([[1]] * 10)}


def found(confidence):
    count = len(confidence)
    return {
        "boxes": np.array([[BOX, [60.0, 60.0, 90.0, 90.0]]] * count),
        "classes": np.array([[1, 1]] * count),
        "confidence": np.stack([confidence, np.full(count, 0.5)], axis=-1),
    }


class Detector(keras.Model):
    """Finds the box of each image, surer of it the larger its weight is."""

    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(shape=(), initializer="zeros", name="weight")

    def call(self, x):
        return keras.ops.zeros_like(x[:, :1]) + self.weight

    def detect(self, x):
        assert isinstance(x, np.ndarray)
        return found(np.asarray(self(x))[:, 0])


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        at = slice(3 * index, 3 * index + 3)
        return X[at], {name: x[at] for name, x in OBJECTS.items()}


def dataset():
    return tf.data.Dataset.from_tensor_slices((X, OBJECTS)).batch(3)


def batches():
    return [*Batches()]


class Watching(keras.callbacks.Callback):
    """Keeps the logs that callbacks see that come later."""

    def on_epoch_end(self, epoch, logs=None):
        self.logs = dict(logs or {})


@pytest.mark.parametrize("data", [dataset, batches, lambda: Batches()])
def test_what_the_model_finds_after_each_epoch_is_in_the_logs(data):
    model = Detector()
    model.compile(keras.optimizers.SGD(0.2), "mse")
    metric = MeanAveragePrecision(2)
    seen = HostMetrics(metric, data(), predict=model.detect)
    later = Watching()
    history = model.fit(
        X, np.ones((10, 1)), epochs=3, batch_size=10, verbose=0, callbacks=[seen, later]
    )
    # The weight is 0.4, 0.64 and 0.78, and what is wrong has 0.5.
    found = history.history["val_mean_average_precision"]
    assert found == pytest.approx([0.5, 1.0, 1.0], abs=0.01)
    assert later.logs["val_mean_average_precision_50"] == pytest.approx(1.0)
    assert later.logs["val_mean_average_recall_1"] == pytest.approx(1.0)


def test_chosen_figures_and_epochs_are_written_and_the_last_one_always(capsys):
    model = Detector()
    model.compile("sgd", "mse")
    name = "mean_average_precision_50"
    seen = HostMetrics(
        MeanAveragePrecision(2),
        batches(),
        predict=model.detect,
        every=2,
        names=[name],
        prefix="test_",
    )
    model.fit(X, np.ones((10, 1)), epochs=3, verbose=2, callbacks=[seen])
    history = model.history.history
    assert {key: len(values) for key, values in history.items()} == {
        "loss": 3,
        f"test_{name}": 2,
    }
    assert capsys.readouterr().out.count(f"test_{name}: ") == 2


def test_metrics_of_keras_get_the_predictions_of_the_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    y = DRAW.normal(size=(10, 1)).astype("float32")
    metrics = [keras.metrics.MeanAbsoluteError(), keras.metrics.MeanSquaredError()]
    seen = HostMetrics(metrics, [(X[:6], y[:6]), (X[6:], y[6:])])
    history = model.fit(X, y, verbose=0, callbacks=[seen]).history
    errors = model.predict(X, verbose=0) - y
    assert history["val_mean_absolute_error"] == pytest.approx([np.abs(errors).mean()])
    assert history["val_mean_squared_error"] == pytest.approx([(errors**2).mean()])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"metrics": "accuracy"}, TypeError, "`HostMetrics(metrics=...)` must be"),
        ({"data": (X, OBJECTS)}, ValueError, "`HostMetrics(data=...)` must be batches"),
        ({"data": iter(batches())}, ValueError, "no generator"),
        ({"predict": 3}, TypeError, "`HostMetrics(predict=...)` must be"),
        ({"every": 0}, ValueError, "`HostMetrics(every=...)` must be"),
        ({"names": "loss"}, ValueError, "`HostMetrics(names=...)` must be"),
    ],
)
def test_what_the_callback_cannot_use_is_refused(arguments, error, message):
    arguments = {"metrics": MeanAveragePrecision(2), "data": batches(), **arguments}
    with pytest.raises(error, match=re.escape(message)):
        HostMetrics(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"names": ["mAP"]}, "`HostMetrics(names=...)` must be among"),
        ({"data": []}, "`HostMetrics(data=...)` must be of one batch or more"),
    ],
)
def test_what_turns_out_to_be_missing_is_an_error(arguments, message):
    model = Detector()
    arguments = {"data": batches(), "predict": model.detect, **arguments}
    seen = HostMetrics(MeanAveragePrecision(2), **arguments)
    seen.set_model(model)
    with pytest.raises(ValueError, match=re.escape(message)):
        seen.on_epoch_end(0, {})


FORMATS = {
    "xyxy": BOX,
    "yxyx": [10.0, 10.0, 40.0, 50.0],
    "xywh": [10.0, 10.0, 40.0, 30.0],
    "center_xywh": [30.0, 25.0, 40.0, 30.0],
    "rel_yxyx": [0.1, 0.05, 0.4, 0.25],
    "rel_center_xywh": [0.15, 0.25, 0.2, 0.3],
}


@pytest.mark.parametrize("name", FORMATS)
def test_boxes_come_in_any_format(name):
    """A box of 1200 square pixels is medium, beside one that is half as wide."""
    metric = MeanAveragePrecision(
        1,
        bounding_box_format=name,
        image_size=(100, 200) if name.startswith("rel_") else None,
    )
    box = np.array([[FORMATS[name]]])
    metric.update_state(
        {"boxes": box, "labels": [[0]]},
        {"boxes": box, "classes": [[0]], "confidence": [[0.3]]},
    )
    figures = metric.result()
    assert figures["mean_average_precision_medium"] == pytest.approx(1.0)
    assert np.isnan(figures["mean_average_precision_small"])


def test_ious_sizes_and_detections_can_be_chosen():
    metric = MeanAveragePrecision(
        2, ious=(0.5,), areas=(100.0, 1000.0), detections=2, name="map"
    )
    metric.update_state(OBJECTS, found(np.linspace(0.1, 1.0, 10)))
    figures = metric.result()
    assert set(figures) == {
        *("map", "map_50", "map_small", "map_medium", "map_large"),
        *("map_recall_2", "map_recall_small", "map_recall_medium", "map_recall_large"),
    }
    assert figures["map_large"] > 0.5
    assert np.isnan(figures["map_medium"])
    assert np.isnan(metric.per_class()[0])
    assert metric.per_class()[1] == figures["map"]


def test_a_metric_that_is_reset_has_forgotten():
    metric = MeanAveragePrecision(2)
    metric.update_state(OBJECTS, found(np.ones(10)))
    metric.reset_state()
    assert np.isnan(metric.result()["mean_average_precision"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": 0}, "`MeanAveragePrecision(classes=...)` must be"),
        ({"bounding_box_format": "xy"}, "(bounding_box_format=...)` must be one of"),
        ({"bounding_box_format": "rel_xywh"}, "(image_size=...)` must be (height, wid"),
        ({"ious": (0.5, 0.4)}, "(ious=...)` must be numbers in rising order"),
        ({"ious": (0.5, 1.4)}, "(ious=...)` must be"),
        ({"areas": (9.0, 4.0)}, "(areas=...)` must be a number or an ordered"),
        ({"detections": (10, 1)}, "(detections=...)` must be whole numbers"),
    ],
)
def test_arguments_out_of_bounds_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MeanAveragePrecision(**{"classes": 3, **arguments})


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        ({"boxes": [[BOX]]}, {}, "(y_true=...)` must be a dictionary with 'boxes'"),
        ({"labels": [[0]] * 9}, {}, "(y_true=...)` must be `(batch, n, 4)` boxes"),
        ({"labels": [[2]] * 10}, {}, "(labels=...)` must be of whole numbers within"),
        ({}, {"classes": [[1, -2]] * 10}, "(classes=...)` must be of whole numbers"),
        ({}, {"confidence": None}, "(y_pred=...)` must be a dictionary with"),
        ({}, found(np.ones(9)), "(y_pred=...)` must be of the 10 images"),
    ],
)
def test_what_does_not_fit_is_refused(y_true, y_pred, message):
    metric = MeanAveragePrecision(2)
    y_true = y_true if "boxes" in y_true else {**OBJECTS, **y_true}
    with pytest.raises(ValueError, match=re.escape(message)):
        metric.update_state(y_true, {**found(np.ones(10)), **y_pred})
