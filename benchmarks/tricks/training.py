"""Train one trick once, and time one beside its baseline."""

import datetime
import math
import os
import statistics
import time

import keras
import numpy as np

import perfkit
from benchmarks.tricks import setting as settings
from benchmarks.tricks.setting import BATCH, Setting
from perfkit import optimizers


def train(trick, seed, data, epochs, rate, value=None, tick=None):
    """Train and evaluate; return what is to be recorded."""
    keras.utils.clear_session()
    (images, labels), test = data
    training, built = start(trick, seed, images, epochs, rate, value)
    clock = Clock(tick)
    order = orders(seed, len(images), epochs)
    fit(training, images[order], labels[order], built, [clock])
    accuracy, loss = evaluate(training.network, *test)
    return {
        "accuracy": accuracy,
        "loss": loss if math.isfinite(loss) else None,
        "epoch_seconds": statistics.median(clock.seconds[1:] or clock.seconds),
        **sizes(training),
    }


def start(trick, seed, images, epochs, rate, value):
    """A trick built and compiled, whose kernels begin as the baseline's."""
    keras.utils.set_random_seed(seed)
    steps = max(1, len(images) // BATCH)
    setting = Setting(seed, epochs, steps, rate, value, images)
    training = trick.build(setting)
    training.model.compile(training.optimizer, training.loss, jit_compile=True)
    optimizers.attach(training.model)
    check_start(trick, training, seed)
    return training, setting


def check_start(trick, training, seed):
    """Raise if a kernel is not what the network's is at first with that seed."""
    first = {k.shape: _values(k) for k in settings.network(seed).trainable_weights}
    held = {w.shape: _values(w) for w in training.network.trainable_weights}
    for shape, values in first.items():
        if len(shape) > 1 and not np.array_equal(held.get(shape), values):
            raise AssertionError(f"{trick.name}: a kernel {shape} begins otherwise")


def _values(variable):
    return keras.ops.convert_to_numpy(variable)


def orders(seed, images, epochs):
    """The images of all epochs in order, each cut to whole batches."""
    rng = np.random.default_rng(seed)
    whole = max(1, images // BATCH) * BATCH
    return np.concatenate(
        [np.resize(rng.permutation(images), whole) for _ in range(epochs)]
    )


def fit(training, images, labels, setting, callbacks=()):
    training.model.fit(
        images,
        labels,
        batch_size=BATCH,
        epochs=setting.epochs,
        steps_per_epoch=setting.epoch_steps,
        shuffle=False,  # they come in order already, the same for all tricks
        callbacks=[*training.callbacks, *callbacks],
        verbose=0,
    )


def evaluate(network, images, labels):
    """Accuracy and cross-entropy, the same whatever was trained on."""
    logits = network.predict(images, batch_size=500, verbose=0).astype("float64")
    logits -= logits.max(axis=1, keepdims=True)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    accuracy = np.mean(logits.argmax(axis=1) == labels)
    return float(accuracy), float(-logs[np.arange(len(labels)), labels].mean())


def sizes(training):
    """Numbers that are trained, and numbers that are kept while training."""
    model = training.model
    kept = [*model.variables, *training.optimizer.variables]
    unique = {id(variable): math.prod(variable.shape) for variable in kept}
    return {
        "parameters": sum(math.prod(w.shape) for w in model.trainable_weights),
        "kept": sum(unique.values()),
    }


class Clock(keras.callbacks.Callback):
    """Seconds of each epoch."""

    def __init__(self, tick=None):
        super().__init__()
        self.seconds = []
        self._tick = tick or (lambda: None)

    def on_epoch_begin(self, epoch, logs=None):
        self._begun = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(time.perf_counter() - self._begun)
        self._tick()


class Cost:
    """Short trainings of one trick, to take turns with those of another."""

    steps = 40

    def __init__(self, trick, data, rate, value=None):
        images, labels = data[0]
        count = self.steps * BATCH
        self._images = np.resize(images, (count, *images.shape[1:]))
        self._labels = np.resize(labels, count)
        self._training, self._setting = start(trick, 0, self._images, 1, rate, value)
        self.run()  # compiles

    def run(self):
        """Seconds of a step."""
        clock = Clock()
        fit(self._training, self._images, self._labels, self._setting, [clock])
        return clock.seconds[0] / self.steps


def compare_cost(base, trick, rounds=9):
    """Milliseconds of a step of each, and the median of how many times as long."""
    times = [(base.run(), trick.run()) for _ in range(rounds)]
    return {
        "base_ms": 1e3 * statistics.median(one for one, _ in times),
        "step_ms": 1e3 * statistics.median(other for _, other in times),
        "cost": statistics.median(other / one for one, other in times),
    }


def versions():
    return {
        "perfkit": perfkit.__version__,
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "cores": len(os.sched_getaffinity(0)),
        "date": datetime.date.today().isoformat(),
    }
