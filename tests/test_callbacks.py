"""`callbacks.Throughput` in `fit`, with clocks that are real and counted."""

import csv
import inspect
import itertools
import math
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from perfkit import callbacks
from perfkit.callbacks import Throughput

X, Y = np.ones((100, 4), "float32"), np.zeros((100, 1), "float32")


def compiled(*layers, cls=keras.Sequential, **options):
    model = cls([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile("sgd", "mse", **options)
    return model


class Batches(keras.utils.PyDataset):
    """Batches of these sizes, each after so many seconds."""

    def __init__(self, *sizes, seconds=0.0):
        super().__init__()
        self.sizes, self.seconds = sizes, seconds

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        time.sleep(self.seconds)
        return X[: self.sizes[index]], Y[: self.sizes[index]]


def dataset():
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(24)


def repeated():
    return dataset().repeat()


def unknown_length():
    return dataset().filter(lambda *_: True)


def generator():
    while True:
        yield X[:8], Y[:8]
        yield X[:5], Y[:5]


DATA = {  # arguments of fit, samples, steps
    "arrays": ({"x": X, "y": Y}, 100, 4),
    "arrays in batches": ({"x": X, "y": Y, "batch_size": 30}, 100, 4),
    "split": ({"x": X, "y": Y, "validation_split": 0.3}, 70, 3),
    "dataset": ({"x": dataset}, 100, 5),
    "dataset of unknown length": ({"x": unknown_length}, 100, 5),
    "dataset in part": ({"x": repeated, "steps_per_epoch": 6}, 124, 6),
    "PyDataset": ({"x": lambda: Batches(8, 8, 8, 3)}, 27, 4),
    "generator": ({"x": generator, "steps_per_epoch": 6}, 39, 6),
    "validated": ({"x": dataset, "validation_data": (X[:7], Y[:7])}, 100, 5),
}


@pytest.fixture
def counted(monkeypatch):
    """Make the clock count how often it is read: one second per execution."""
    ticks = itertools.count()
    clock = types.SimpleNamespace(perf_counter=lambda: float(next(ticks)))
    monkeypatch.setattr("perfkit.callbacks.throughput.time", clock)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.usefixtures("counted")
@pytest.mark.parametrize(
    "per_execution", [1, pytest.param(2, marks=pytest.mark.slow), 3]
)
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_every_sample_counts_once(data, per_execution):
    arguments, samples, steps = data
    make = arguments["x"]
    arguments = {**arguments, "x": make() if callable(make) else make}
    if not isinstance(make, np.ndarray):
        arguments["shuffle"] = False
    model = compiled(steps_per_execution=per_execution)
    logs = model.fit(**arguments, verbose=0, callbacks=[Throughput(skip=0)]).history
    executions = math.ceil(steps / per_execution)
    np.testing.assert_allclose(logs["samples_per_second"], [samples / executions])


@pytest.mark.usefixtures("counted")
def test_the_last_execution_counts_only_the_steps_it_ran():
    model = compiled(steps_per_execution=4)
    speed = Throughput(skip=0)
    logs = model.fit(X, Y, batch_size=20, verbose=0, callbacks=[speed]).history
    assert logs["step_ms"] == [1e3 * (1 / 4 + 1 / 1) / 2]


class ByHand:
    """Calls the hooks as `fit` does, on a clock that is set by hand."""

    def __init__(self, speed, monkeypatch, cls=keras.Sequential):
        self.seconds, self.speed, self.model = 0.0, speed, compiled(cls=cls)
        clock = types.SimpleNamespace(perf_counter=lambda: self.seconds)
        monkeypatch.setattr("perfkit.callbacks.throughput.time", clock)
        speed.set_model(self.model)
        speed.set_params({"steps": None})
        speed.on_train_begin()

    def epoch(self, *durations, samples=10, validation=0.0):
        """Return the logs after steps of these durations, in seconds."""
        logs, count = {}, self.model.metrics[0].count
        self.model.reset_metrics()
        self.speed.on_epoch_begin(0)
        for step, seconds in enumerate(durations):
            self.speed.on_train_batch_begin(step)
            self.seconds += seconds
            count.assign_add(samples)
            self.speed.on_train_batch_end(step)
        if validation:
            self.seconds += validation
            self.speed.on_test_begin()
            self.model.reset_metrics()
            count.assign_add(12345)
        self.seconds += 50.0  # other callbacks, the data of the next epoch
        self.speed.on_epoch_end(0, logs)
        return logs


def test_samples_over_the_whole_time_and_the_median_step(monkeypatch):
    logs = ByHand(Throughput(skip=0), monkeypatch).epoch(0.1, 0.1, 0.6, 0.1, 0.1)
    np.testing.assert_allclose(logs["samples_per_second"], 50 / 1.0)
    np.testing.assert_allclose(logs["step_ms"], 100.0)


def test_validation_is_not_counted(monkeypatch):
    fit = ByHand(Throughput(skip=0), monkeypatch)
    logs = [fit.epoch(0.1, 0.1, validation=7.0), fit.epoch(0.1, 0.1)]
    for each in logs:
        np.testing.assert_allclose(each["samples_per_second"], 10 / 0.1)
        np.testing.assert_allclose(each["step_ms"], 100.0)


def test_the_first_steps_of_a_fit_are_left_out_and_only_they(monkeypatch):
    speed = Throughput(skip=2)
    fit = ByHand(speed, monkeypatch)
    for _ in range(2):  # the second time, as another fit
        np.testing.assert_allclose(
            fit.epoch(9.0, 9.0, 0.1, 0.1)["samples_per_second"], 100
        )
        np.testing.assert_allclose(fit.epoch(0.2, 0.2)["samples_per_second"], 50)
        speed.on_train_begin()


def test_an_epoch_that_is_all_left_out_is_nan_and_the_rest_carries_over(monkeypatch):
    fit = ByHand(Throughput(skip=3), monkeypatch)
    assert all(math.isnan(value) for value in fit.epoch(9.0, 9.0).values())
    np.testing.assert_allclose(fit.epoch(9.0, 0.1)["samples_per_second"], 100)
    np.testing.assert_allclose(fit.epoch(0.2, 0.2)["samples_per_second"], 50)


def test_steps_noted_late_or_in_the_wrong_order_change_nothing(monkeypatch):
    """On JAX the ends are noted by threads, some after the next step began."""
    speed = Throughput(skip=1)
    fit = ByHand(speed, monkeypatch)
    speed.on_epoch_begin(0)
    count, logs = fit.model.metrics[0].count, {}
    speed.on_train_batch_begin(0)
    count.assign_add(10)
    for step in (1, 2, 3):
        speed.on_train_batch_begin(step)
    for step, seconds in ((0, 0.001), (2, 0.1), (1, 0.2), (3, 0.3)):
        fit.seconds = seconds
        count.assign_add(10 if step else 0)
        speed.on_train_batch_end(step)
    speed.on_epoch_end(0, logs)
    np.testing.assert_allclose(logs["samples_per_second"], 30 / 0.3)
    np.testing.assert_allclose(logs["step_ms"], 100.0)


def test_history_and_the_callbacks_after_it_get_the_figures(tmp_path):
    callbacks = [Throughput(), keras.callbacks.CSVLogger(tmp_path / "log.csv")]
    model = compiled()
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=callbacks).history
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    for key in ("samples_per_second", "step_ms"):
        assert len(history[key]) == 2
        assert all(value > 0 for value in history[key])
        assert [float(row[key]) for row in rows] == history[key]


class SlowToTrace(keras.layers.Layer):
    """Stands for a long compilation."""

    def call(self, inputs):
        time.sleep(1.0)
        return inputs


def test_the_compilation_is_left_out():
    for skip, slow in ((1, False), (0, True)):
        model = compiled(SlowToTrace())
        speed = Throughput(skip=skip)
        history = model.fit(X, Y, batch_size=25, verbose=0, callbacks=[speed]).history
        seconds = 100 / history["samples_per_second"][0]
        assert (seconds > 1.0) == slow


@pytest.mark.slow
def test_the_measured_time_is_the_time_that_passed():
    """Also where steps are dispatched long before they run; without validation."""

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            if batch == 0:
                self.start = time.perf_counter()

        def on_test_begin(self, logs=None):
            keras.ops.convert_to_numpy(self.model.layers[-1].kernel)  # waits
            self.seconds = time.perf_counter() - self.start

    model = compiled(*[keras.layers.Dense(1024) for _ in range(8)])
    x, y = np.ones((2560, 4), "float32"), np.zeros((2560, 1), "float32")
    slow = Batches(4, 4, seconds=0.5)
    data = {"x": x, "y": y, "batch_size": 256, "validation_data": slow}
    watch, speed = Watch(), Throughput()
    logs = model.fit(**data, epochs=2, verbose=0, callbacks=[watch, speed]).history
    seconds = 2560 / logs["samples_per_second"][1]
    assert 0.5 * watch.seconds < seconds < 1.2 * watch.seconds


def test_slow_data_is_counted():
    data = Batches(*[8] * 6, seconds=0.05)
    history = compiled().fit(data, epochs=2, verbose=0, callbacks=[Throughput()])
    assert history.history["step_ms"][1] > 40
    assert history.history["samples_per_second"][1] < 8 / 0.04


def test_jax_need_not_wait_for_each_step():
    class Where(Throughput):
        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            threads.add(threading.current_thread() is threading.main_thread())

    threads = set()
    compiled().fit(X, Y, verbose=0, callbacks=[Where()])
    assert threads == {keras.backend.backend() != "jax"}


class OwnStep(keras.Sequential):
    def train_step(self, *arguments):
        return super().train_step(*arguments)


@pytest.mark.parametrize("samples", [0, 1])
def test_a_train_step_that_counts_no_samples_needs_the_batch_size(samples, monkeypatch):
    """Many guides average the loss over steps: each counts as one."""
    fit = ByHand(Throughput(), monkeypatch, OwnStep)
    with pytest.raises(
        ValueError, match=r"^`Throughput\(batch_size=...\)` must be given"
    ):
        fit.epoch(0.1, 0.1, samples=samples)
    fit = ByHand(Throughput(batch_size=8), monkeypatch, OwnStep)
    logs = fit.epoch(0.1, 0.1, samples=samples)
    np.testing.assert_allclose(logs["samples_per_second"], 80)


def test_batches_of_one_are_fine(monkeypatch):
    logs = ByHand(Throughput(), monkeypatch).epoch(0.1, 0.1, samples=1)
    np.testing.assert_allclose(logs["samples_per_second"], 10)


@pytest.mark.usefixtures("counted")
def test_the_batch_size_can_be_given():
    speed = Throughput(skip=0, batch_size=7)
    logs = compiled().fit(X, Y, batch_size=25, verbose=0, callbacks=[speed]).history
    assert logs["samples_per_second"] == [7.0]


@pytest.mark.usefixtures("counted")
def test_a_train_step_that_counts_samples_is_fine():
    model = compiled(cls=OwnStep)
    speed = Throughput(skip=0)
    logs = model.fit(X, Y, batch_size=25, verbose=0, callbacks=[speed]).history
    assert logs["samples_per_second"] == [25.0]


TWO_DEVICES = """
import contextlib, os
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
import keras
import numpy as np
from perfkit.callbacks import Throughput
from perfkit.regularizers import attach

scope = contextlib.nullcontext()
if keras.backend.backend() == "jax":
    keras.distribution.set_distribution(keras.distribution.DataParallel())
else:
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(
        cpu, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    scope = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()

class Counting(Throughput):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        assert (self._first, self._last) == (16 if epoch == 0 else 0, 48), epoch
        assert logs["samples_per_second"] > 0

with scope:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
data = {"x": np.zeros((48, 4)), "y": np.zeros((48, 1)), "batch_size": 16}
model.fit(**data, epochs=2, verbose=0, callbacks=[Counting()])
penalty = attach(model, "l2").penalty
loss = model.fit(**data, verbose=0).history["loss"][0]
np.testing.assert_allclose(loss, penalty, 1e-5)
"""


@pytest.mark.slow
def test_samples_of_all_devices_count():
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES],
        env={**os.environ, "KERAS_BACKEND": keras.backend.backend()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_evaluate_and_predict_take_it_too():
    speed, model = Throughput(), compiled()
    model.evaluate(X, Y, verbose=0, callbacks=[speed])
    model.predict(X, verbose=0, callbacks=[speed])


@pytest.mark.parametrize(
    "change", [{"skip": -1}, {"skip": 0.5}, {"batch_size": 0}, {"batch_size": "8"}]
)
def test_a_wrong_argument_is_named(change):
    name = next(iter(change))
    with pytest.raises(ValueError, match=rf"^`Throughput\({name}=...\)` must be "):
        Throughput(**change)


def test_the_page_has_every_callback_in_its_table():
    page = pathlib.Path(__file__).parent.parent / "docs" / "callbacks.md"
    rows = re.findall(r"^\| (`.+?) \|", page.read_text(), re.M)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == {name for name, _ in inspect.getmembers(callbacks, inspect.isclass)}
