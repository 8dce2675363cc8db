"""The same small network with and without perfkit, on real pictures of clothes.

    python examples/quickstart.py              # 10,000 images, no download
    python examples/quickstart.py --full       # all 70,000, through keras.datasets

Both sides train the same network for the same number of epochs with Adam, from the
same three seeds. The baseline has the constant rate that suited it best among 1e-4,
3e-4, 1e-3, 3e-3 and 6e-3. It prints one table and writes a picture of augmented
images, the learning curves and two `.tflite` files.
"""

import argparse
import os
import pathlib
import statistics

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import fashion_mnist
import keras
import matplotlib as mpl
import numpy as np
import tqdm

from perfkit import augment, callbacks, compress, regularizers, schedules

mpl.use("agg")
from matplotlib import pyplot

BATCH = 64


def network():
    """A small convolutional network, the same for both sides."""
    layers = keras.layers
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255)])
    for filters in (24, 48, 96):
        model.add(layers.Conv2D(filters, 3, 2, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(10))
    return model


def baseline(model, steps):
    """Keras alone: Adam at its best constant rate."""
    return model, keras.optimizers.Adam(3e-4)


def with_perfkit(model, steps):
    """The same network, with four tricks around it."""
    pipeline = augment.Pipeline(
        [
            augment.RandomFlip("horizontal"),
            augment.RandomTranslation(0.05, 0.05, fill_mode="constant"),
        ]
    )
    regularizers.attach(model, keras.regularizers.L1L2(l1=1e-6, l2=1e-4))
    warm_up = steps // 10
    decay = keras.optimizers.schedules.CosineDecay(3e-3, steps - warm_up)
    training = keras.Sequential([keras.Input((28, 28, 1)), pipeline, model])
    return training, keras.optimizers.Adam(schedules.WarmUp(decay, warm_up))


def train(side, seed, data, epochs, bar):
    """Train one network; return it, its history and its accuracy on the test set."""
    (images, labels), (test_images, test_labels) = data
    keras.utils.set_random_seed(seed)
    model = network()
    training, optimizer = side(model, epochs * -(-len(images) // BATCH))
    training.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=True,
    )
    tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: bar.update())
    history = training.fit(
        images,
        labels,
        batch_size=BATCH,
        epochs=epochs,
        validation_data=(test_images, test_labels),
        validation_batch_size=500,
        callbacks=[callbacks.Throughput(), tick],
        verbose=0,
    ).history
    return model, history, history["val_accuracy"][-1]


def load(full):
    if not full:
        return fashion_mnist.load()
    return tuple(
        (images[..., None], labels.astype("int32"))
        for images, labels in keras.datasets.fashion_mnist.load_data()
    )


def export(model, data, folder):
    """Write the network as float and int8 files; return what each is like."""
    (images, _), (test_images, test_labels) = data
    rows = {}
    for name, quantization in (("float", None), ("int8", "int8")):
        report = compress.export_tflite(
            model,
            folder / f"clothes_{name}.tflite",
            quantization=quantization,
            data=images if quantization else None,
            verbose=False,
        )
        lite = compress.LiteModel(report.path)
        answers = lite.predict(test_images.astype("float32")).argmax(axis=1)
        accuracy = float(np.mean(answers == test_labels))
        rows[name] = (report.size / 1024, lite.latency(), accuracy)
    return rows


def draw_augmented(images, folder):
    """Originals in the first row, and what the network saw of them below."""
    pipeline, _ = with_perfkit(network(), 100)
    shown = images[:8]
    views = [shown] + [
        keras.ops.convert_to_numpy(pipeline.layers[0](shown)) for _ in range(4)
    ]
    grid = np.concatenate([np.concatenate(list(row), axis=1) for row in views])
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    axes.imshow(grid[..., 0], cmap="gray_r", vmin=0, vmax=255)
    axes.set_yticks([14 + 28 * k for k in range(5)], ["original"] + ["augmented"] * 4)
    axes.set_xticks([])
    figure.savefig(folder / "augmented.png", dpi=120)


def draw_curves(histories, folder):
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for color, (name, runs) in zip(("C0", "C1"), histories.items(), strict=True):
        for key, style in (("accuracy", ":"), ("val_accuracy", "-")):
            curves = 1 - np.array([history[key] for history in runs])
            epochs = np.arange(1, curves.shape[1] + 1)
            label = f"{name}, {'training' if key == 'accuracy' else 'test'}"
            axes.plot(epochs, 100 * curves.mean(axis=0), color + style, label=label)
            axes.fill_between(
                epochs,
                100 * curves.min(axis=0),
                100 * curves.max(axis=0),
                color=color,
                alpha=0.15,
            )
    axes.set(xlabel="epoch", ylabel="errors, %", title="Mean and range of the seeds")
    axes.set_ylim(0, 30)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend()
    figure.savefig(folder / "learning_curves.png", dpi=120)


def show(accuracies, histories, exported, seeds):
    names = list(accuracies)
    print(f"\n{'':26s}" + "".join(f"{name:>16s}" for name in names))

    def row(title, values):
        print(f"{title:26s}" + "".join(f"{value:>16s}" for value in values))

    for k, seed in enumerate(seeds):
        row(f"test accuracy, seed {seed}", [f"{accuracies[n][k]:.4f}" for n in names])
    row(
        "mean and deviation",
        [
            f"{np.mean(accuracies[n]):.4f} ± {np.std(accuracies[n], ddof=1):.4f}"
            if len(seeds) > 1
            else f"{np.mean(accuracies[n]):.4f}"
            for n in names
        ],
    )
    before, after = (1 - np.mean(accuracies[name]) for name in names)
    row("fewer test errors", ["", f"{100 * (before - after) / before:.1f} %"])
    speeds = [
        statistics.median(
            speed
            for history in histories[name]
            for speed in history["samples_per_second"]
        )
        for name in names
    ]
    row("images/s in training", [f"{speed:.0f}" for speed in speeds])
    print(f"\n{'.tflite file':26s}{'float':>16s}{'int8':>16s}")
    row("size, KiB", [f"{size:.0f}" for size, _, _ in exported.values()])
    row("latency, ms", [f"{ms:.3f}" for _, ms, _ in exported.values()])
    row("test accuracy", [f"{accuracy:.4f}" for _, _, accuracy in exported.values()])
    return 100 * (before - after) / before


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--full", action="store_true", help="all 70,000 images")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--output", type=pathlib.Path, default="quickstart_output")
    args = parser.parse_args()
    args.output.mkdir(exist_ok=True)
    data = load(args.full)
    draw_augmented(data[0][0], args.output)

    sides = {"Keras alone": baseline, "with perfkit": with_perfkit}
    accuracies = {name: [] for name in sides}
    histories = {name: [] for name in sides}
    with tqdm.tqdm(
        total=len(sides) * len(args.seeds) * args.epochs, unit="epoch"
    ) as bar:
        for seed in args.seeds:
            for name, side in sides.items():
                bar.set_description(f"seed {seed}, {name}")
                model, history, accuracy = train(side, seed, data, args.epochs, bar)
                accuracies[name].append(accuracy)
                histories[name].append(history)
    draw_curves(histories, args.output)
    exported = export(model, data, args.output)
    show(accuracies, histories, exported, args.seeds)
    print(f"\nPictures and .tflite files are in {args.output}/")


if __name__ == "__main__":
    main()
