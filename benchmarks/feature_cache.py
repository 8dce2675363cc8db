"""How much sooner an epoch ends on the features of a frozen backbone than behind it.

    python -m benchmarks.feature_cache                    # TensorFlow backend
    KERAS_BACKEND=jax python -m benchmarks.feature_cache --json feature_cache_jax.json

A head is trained behind a frozen MobileNetV2 of random weights on random images, and
the same head on its features, in memory, mapped into memory, and read from the file
batch by batch. Sides alternate, a few epochs each, and figures are medians of ratios
of neighbours. All heads start with the same weights and see the same batches; it is
said how far apart they end. Believe the ratios, also of processor time, which others on
the machine disturb less: absolute times depend on the machine and its load.
"""

import argparse
import json
import pathlib
import tempfile
import time

import keras
import numpy as np

from perfkit import transfer
from perfkit.graph import batch_norm

CLASSES = 4
# On a CPU XLA's depthwise convolutions are slow, and TensorFlow has better ones.
JIT = keras.backend.backend() != "tensorflow"


def problem(images, size):
    """Images whose mean colour says, more or less, of which class they are."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, images)
    means = np.linspace(60, 190, CLASSES)[labels]
    pixels = rng.normal(means[:, None, None, None], 60, (images, size, size, 3))
    return np.clip(pixels, 0, 255).astype("uint8"), labels


def backbone(size, alpha, images):
    """The network up to its pooled features, with the moving statistics of images."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((size, size, 3), dtype="uint8")
    net = keras.applications.MobileNetV2(
        (size, size, 3), alpha, include_top=False, weights=None, pooling="avg"
    )
    scaled = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
    model = keras.Model(inputs, net(scaled))
    batch_norm.recalibrate(model, [images])  # features would all be nearly 0
    model.trainable = False
    return model


def head(width):
    dense = keras.layers.Dense(
        CLASSES, kernel_initializer=keras.initializers.GlorotUniform(1)
    )
    return keras.Sequential([keras.Input((width,)), dense])


class Seconds(keras.callbacks.Callback):
    """How long each epoch takes, without what `fit` does before and after."""

    def __init__(self):
        super().__init__()
        self.of_epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self._began = clocks()

    def on_epoch_end(self, epoch, logs=None):
        self.of_epochs.append(clocks() - self._began)


def clocks():
    """Seconds of the wall clock, and of the processor for this process."""
    return np.array([time.perf_counter(), time.process_time()])


class Side:
    """A model that trains, some epochs at a time."""

    def __init__(self, model, top, data, **options):
        self._model, self.top, self._data, self._options = model, top, data, options
        model.compile(
            keras.optimizers.Adam(1e-2),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=JIT,
        )
        self.accuracy = 0.0
        self.seconds(1)  # compiles

    def seconds(self, epochs):
        """Seconds of an epoch by both clocks, the medians of some."""
        timer = Seconds()
        options = {"epochs": epochs, "callbacks": [timer], **self._options}
        run = self._model.fit(**self._data, shuffle=False, verbose=0, **options)
        self.accuracy = run.history["accuracy"][-1]
        return np.median(timer.of_epochs, axis=0)


def compare(images, size, alpha, batch_size, epochs, repeats, folder):
    """Seconds of an epoch uncached, and what each cache makes of it."""
    x, y = problem(images, size)
    body = backbone(size, alpha, x[:64])
    began = time.perf_counter()
    in_memory = transfer.cache_features(
        body, (x, y), batch_size=batch_size, verbose=False
    )
    caching = time.perf_counter() - began
    in_file = transfer.cache_features(
        body, (x, y), path=folder, batch_size=batch_size, verbose=False
    )
    began = time.perf_counter()
    transfer.cache_features(
        body, (x, y), path=folder, batch_size=batch_size, verbose=False
    )
    finding = time.perf_counter() - began

    width = in_memory.x.shape[-1]
    tops = [head(width) for _ in range(4)]
    whole = keras.Sequential([body, tops[0]])
    options = {"batch_size": batch_size}
    base = Side(whole, tops[0], {"x": x, "y": y}, **options)
    batches = in_file.batches(batch_size, shuffle=False)
    sides = {
        "in memory": Side(tops[1], tops[1], in_memory.arguments, **options),
        "memory map": Side(tops[2], tops[2], in_file.arguments, **options),
        "batches of the file": Side(tops[3], tops[3], {"x": batches}),
    }
    seconds, ratios = [], {name: [] for name in sides}
    for _ in range(repeats):
        seconds.append(base.seconds(epochs))
        for name, side in sides.items():
            ratios[name].append(seconds[-1] / side.seconds(epochs))
    return {
        "images": images,
        "size": size,
        "uncached_s": float(np.median(seconds, axis=0)[0]),
        "uncached_accuracy": base.accuracy,
        "caching_s": caching,
        "finding_s": finding,
        "lines": {
            name: {
                "times_faster": float(np.median(ratios[name], axis=0)[0]),
                "spread": [float(f(ratios[name], axis=0)[0]) for f in (np.min, np.max)],
                "times_less_processor": float(np.median(ratios[name], axis=0)[1]),
                "accuracy": side.accuracy,
                "weights_apart": apart(base.top, side.top),
            }
            for name, side in sides.items()
        },
    }


def apart(one, other):
    """The largest difference of weights, as a share of the largest weight."""
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return max(float(np.abs(a - b).max() / np.abs(a).max()) for a, b in pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=480)
    parser.add_argument("--size", type=int, default=96, help="pixels of a side")
    parser.add_argument("--alpha", type=float, default=1.0, help="width of the network")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3, help="epochs of a run")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each side")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures there")
    options = vars(parser.parse_args())
    file = options.pop("json")
    print(f"{keras.backend.backend()} backend, Keras {keras.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        found = compare(**options, folder=folder)
    print(
        f"{found['images']} images of {found['size']} pixels: an epoch behind the "
        f"frozen backbone takes {found['uncached_s']:.2f} s, accuracy "
        f"{found['uncached_accuracy']:.3f}\ncaching takes {found['caching_s']:.2f} s, "
        f"finding it again {found['finding_s']:.2f} s"
    )
    for name, line in found["lines"].items():
        low, high = line["spread"]
        print(
            f"  {name:20} {line['times_faster']:6.1f} times faster "
            f"({low:.1f} to {high:.1f}), {line['times_less_processor']:.1f} times less "
            f"processor time, accuracy {line['accuracy']:.3f}, weights apart by "
            f"{line['weights_apart']:.1e}"
        )
    if file:
        file.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
