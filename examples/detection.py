"""A small detector learns from scratch to find clothes in composed scenes.

    python examples/detection.py

Scenes are not photographs: `scenes.py` pastes real pictures of Fashion-MNIST at random
places and sizes on a drawn background. Those to train on have objects of its training
set, those to measure objects of its test set, which were never seen. A network of some
400,000 weights is trained on them in `fit`, with boxes that `tf.data` flips, moves and
zooms with the images. It prints a table of the average precision of each class and
draws what was found. Six minutes on two cores.
"""

import argparse
import json
import os
import pathlib
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import fashion_mnist
import keras
import matplotlib as mpl
import scenes
import tensorflow as tf
import tqdm

from perfkit import augment, callbacks, layers, metrics, schedules

mpl.use("agg")
from matplotlib import patches, pyplot

CLASSES = len(fashion_mnist.CLASSES)
SIZE, BATCH, RATE = 96, 16, 3e-3
CLAIM = 0.8  # of the mean average precision at IoU 0.5
NAME = "mean_average_precision"


def backbone():
    """Plain convolutions, most of them where maps are small already."""
    inputs = x = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(x)
    for filters, stride in (
        *((16, 2), (32, 2), (32, 1)),
        *((64, 2), (64, 1), (64, 1)),
        *((96, 2), (96, 1)),
    ):
        x = keras.layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.ReLU()(x)
    return keras.Model(inputs, x, name="backbone")


def detector():
    return layers.detector(
        backbone(),
        CLASSES,
        levels=(8, 16),
        neck=layers.FPN(64, normalization="batch"),
        head=layers.FCOSHead(CLASSES, depth=1, normalization="batch", reach=4.0),
        detections=20,
        candidates=200,
    )


def batches(data, seed):
    """Batches that are flipped, moved and zoomed anew in every epoch."""
    images, boxes = data
    pipeline = augment.Pipeline(
        [
            augment.RandomFlip("horizontal"),
            # Neither turned, since the box around a turned box is too large, nor filled
            # by reflection, which makes objects without boxes.
            augment.RandomAffine(
                *(0.0, 0.15, 0.0, 0.1, 0.1), fill_mode="constant", fill_value=50.0
            ),
            augment.RandomBrightness(0.1, value_range=(0, 255)),
        ],
        bounding_box_format="xyxy",
        seed=seed,
    )
    dataset = tf.data.Dataset.from_tensor_slices(
        {"images": images, "bounding_boxes": boxes}
    )
    dataset = dataset.shuffle(len(images), seed=seed).batch(BATCH, drop_remainder=True)
    dataset = dataset.map(pipeline, tf.data.AUTOTUNE)
    return dataset.map(lambda x: (x["images"], x["bounding_boxes"])).prefetch(2)


def held_out_batches(data):
    images, boxes = data
    pairs = (images.astype("float32"), boxes)
    return tf.data.Dataset.from_tensor_slices(pairs).batch(BATCH)


def show(metric, figures, seconds, epochs):
    print(f"\n{'average precision, IoU 0.5':28s}")
    for name, value in zip(fashion_mnist.CLASSES, metric.per_class(), strict=True):
        print(f"  {name:26s}{value:8.3f}")
    print(f"{'mean':28s}{figures[f'{NAME}_50']:8.3f}")
    print(f"{'mean over IoU 0.5 to 0.95':28s}{figures[NAME]:8.3f}")
    print(f"{'training, s':28s}{seconds:8.0f}   ({epochs} epochs)")


def draw(images, boxes, found, path, least=0.4):
    """Scenes with what was found, and with dashes what there is to be found."""
    figure, axes = pyplot.subplots(2, 4, figsize=(13, 7), layout="constrained")
    for number, ax in enumerate(axes.flat):
        ax.imshow(images[number, ..., 0], cmap="gray", vmin=0, vmax=255)
        ax.set_axis_off()
        there = boxes["boxes"][number][boxes["labels"][number] >= 0]
        for box in there:
            ax.add_patch(_rectangle(box, "white", "--"))
        for box, kind, sure in zip(
            *(found[key][number] for key in ("boxes", "classes", "confidence")),
            strict=True,
        ):
            if sure < least:
                continue
            color = f"C{kind}"
            ax.add_patch(_rectangle(box, color, "-"))
            text = f"{fashion_mnist.CLASSES[kind]} {sure:.2f}"
            ax.text(*box[:2], text, color="white", backgroundcolor=color, fontsize=6)
    figure.savefig(path, dpi=110)


def _rectangle(box, color, style):
    x1, y1, x2, y2 = box
    return patches.Rectangle(
        (x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, color=color, ls=style
    )


def train(model, data, held_out, epochs, seed):
    """Train it; return figures of every fourth epoch, and how long it took."""
    metric = metrics.MeanAveragePrecision(CLASSES)
    steps = epochs * (len(data[0]) // BATCH)
    warm_up = max(steps // 20, 1)
    decay = keras.optimizers.schedules.CosineDecay(RATE, steps - warm_up)
    model.compile(
        keras.optimizers.AdamW(schedules.WarmUp(decay, warm_up), weight_decay=1e-3),
        # Convolutions of TensorFlow are faster on a CPU than those of XLA.
        jit_compile=keras.backend.backend() != "tensorflow",
    )
    measured = callbacks.HostMetrics(
        metric, held_out_batches(held_out), every=4, names=[NAME, f"{NAME}_50"]
    )
    start = time.monotonic()
    with tqdm.tqdm(total=epochs, desc="epochs", unit="epoch") as bar:
        tick = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: (bar.set_postfix(logs), bar.update())
        )
        history = model.fit(
            batches(data, seed),
            epochs=epochs,
            callbacks=[measured, tick],
            shuffle=False,  # the data set does
            verbose=0,
        ).history
    return history, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=24)
    parser.add_argument("--scenes", type=int, default=4000, help="to train on")
    parser.add_argument("--held-out", type=int, default=500, help="to measure")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=pathlib.Path, default="detection_output")
    arguments = parser.parse_args()
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(arguments.seed)

    training, test = fashion_mnist.load()
    data = scenes.compose(*training, arguments.scenes, seed=arguments.seed)
    held_out = scenes.compose(*test, arguments.held_out, seed=arguments.seed + 1)
    model = detector()
    print(f"{model.count_params():,} weights, maps of strides {model.strides}")
    history, seconds = train(model, data, held_out, arguments.epochs, arguments.seed)

    metric = metrics.MeanAveragePrecision(CLASSES)
    found = model.predict(held_out[0].astype("float32"), batch_size=BATCH, verbose=0)
    metric.update_state(held_out[1], found)
    figures = metric.result()
    at_half = metrics.MeanAveragePrecision(CLASSES, ious=(0.5,))
    at_half.update_state(held_out[1], found)
    show(at_half, figures, seconds, arguments.epochs)
    draw(*held_out, found, folder / "detections.png")
    model.save(folder / "detector.keras")
    results = {**figures, "seconds": seconds, "history": history}
    (folder / "results.json").write_text(json.dumps(results, default=float, indent=2))
    print(f"\nWrote {folder}/detections.png, detector.keras and results.json")
    if figures[f"{NAME}_50"] < CLAIM:
        sys.exit(f"Mean average precision at IoU 0.5 is below {CLAIM}.")


if __name__ == "__main__":
    main()
