"""A small network with and without a teacher, on real pictures of clothes.

    python -m benchmarks.distillation
    KERAS_BACKEND=jax python -m benchmarks.distillation --json distillation.json

The networks are those of `examples/quickstart.py`: the teacher of twice its widths,
trained with augmentation, the student of a quarter. Both students of a seed start from
the same weights and see the same batches, with the same cosine decay from the rate that
suited the one without a teacher best among 1e-3, 3e-3, 6e-3 and 1e-2.
"""

import argparse
import json
import os
import pathlib
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from examples import fashion_mnist
from perfkit import augment, transfer

BATCH = 64


def network(width):
    """The network of the quickstart with its widths times `width`."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255)])
    for filters in (24, 48, 96):
        filters = int(filters * width)
        model.add(layers.Conv2D(filters, 3, 2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dense(int(128 * width), activation="relu"))
    model.add(layers.Dense(10))
    return model


def compiling(epochs, samples, rate):
    steps = epochs * -(-samples // BATCH)
    return {
        "optimizer": keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(rate, steps)
        ),
        "loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "metrics": ["accuracy"],
    }


def trained_teacher(data, epochs):
    (images, labels), _ = data
    keras.utils.set_random_seed(100)
    model = network(2)
    pipeline = augment.Pipeline(
        [
            augment.RandomFlip("horizontal"),
            augment.RandomTranslation(0.05, 0.05, fill_mode="constant"),
        ]
    )
    training = keras.Sequential([keras.Input((28, 28, 1)), pipeline, model])
    training.compile(**compiling(epochs, len(images), 1e-3))
    training.fit(images, labels, batch_size=BATCH, epochs=epochs, verbose=2)
    return model


def student(seed):
    keras.utils.set_random_seed(seed)
    return network(1 / 4)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=12, help="of each student")
    parser.add_argument("--teacher-epochs", type=int, default=15)
    parser.add_argument("--rate", type=float, default=1e-2)
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--label-weight", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--json", type=pathlib.Path, help="file to write figures to")
    args = parser.parse_args()
    start = time.perf_counter()
    data = fashion_mnist.load()
    found = transfer.distill(
        student,
        trained_teacher(data, args.teacher_epochs),
        data[0],
        losses=transfer.SoftTargets(args.temperature),
        student_loss_weight=args.label_weight,
        validation_data=data[1],
        epochs=args.epochs,
        batch_size=BATCH,
        seeds=args.seeds,
        **compiling(args.epochs, len(data[0][0]), args.rate),
    )
    print(f"\n{found}")
    print(f"{time.perf_counter() - start:.0f} s")
    if args.json:
        report = {"seeds": args.seeds, "scores": found.scores()}
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
