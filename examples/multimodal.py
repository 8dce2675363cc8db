"""Emoji are told apart by their picture, by their name, and by both.

    python -m pip install -e ".[examples]"
    python examples/multimodal.py

1,906 emoji of nine categories: pictures of 32x32, and words that do not name the
category (examples/data/emoji.md). From each of three seeds three models are trained on
the same 1,400 of them for the same number of epochs: one that sees pictures, one that
reads words, and one that has the encoders of both. They are tested on the other 506.
The third one is trained with ModalityDropout, and is tested without pictures, and
without words, too. It prints one table and draws a picture of it.
"""

import argparse
import os
import pathlib

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import emoji
import keras
import matplotlib as mpl
import numpy as np
import tqdm

from perfkit import augment, fusion, layers

mpl.use("agg")
from matplotlib import pyplot

TRAINED_ON, BATCH, CLASSES = 1400, 64, 9
SINGLE = {"image": "picture alone", "text": "words alone"}
BOTH = "both"
# XLA takes its time to compile, and its convolutions are slower on a CPU.
JIT = keras.backend.backend() != "tensorflow"
WITHOUT = {"text": "both, no picture", "image": "both, no words"}


def image_encoder():
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1)(inputs)
    x = augment.Pipeline(
        [
            augment.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
            augment.RandomFlip("horizontal"),
        ]
    )(x)
    for filters in (24, 48, 96):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = keras.layers.MaxPooling2D()(keras.layers.ReLU()(x))
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dropout(0.2)(x)
    return keras.Model(inputs, x, name="image_encoder")


def text_encoder():
    inputs = keras.Input((emoji.LENGTH,), dtype="int32")
    x = keras.layers.Embedding(emoji.VOCABULARY, 32, mask_zero=True)(inputs)
    x = layers.AttentionPool(4)(x)
    x = keras.layers.Dropout(0.3)(x)
    return keras.Model(inputs, x, name="text_encoder")


ENCODERS = {"image": image_encoder, "text": text_encoder}


def single(name):
    """A model of one modality: its encoder and a head."""
    return keras.Sequential([ENCODERS[name](), keras.layers.Dense(CLASSES)])


def fused(stage="late", rate=0.3):
    """A model of the same encoders, which also does with one of them."""
    return fusion.multimodal(
        {name: make() for name, make in ENCODERS.items()},
        head=keras.layers.Dense(CLASSES),
        stage=stage,
        modality_dropout=rate,
        present=True,
    )


def split(seed):
    """Data and labels, those to train on and those to test on."""
    arrays = emoji.load()
    data = {
        "image": arrays["images"].astype("float32"),
        "text": emoji.ids(arrays["texts"]),
    }
    order = np.random.default_rng(seed).permutation(len(arrays["labels"]))
    return [
        ({name: x[part] for name, x in data.items()}, arrays["labels"][part])
        for part in (order[:TRAINED_ON], order[TRAINED_ON:])
    ]


def train(model, data, labels, epochs, *callbacks):
    steps = epochs * -(-len(labels) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-3),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1),
        jit_compile=JIT,
    )
    targets = np.eye(CLASSES, dtype="float32")[labels]
    model.fit(
        data, targets, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=callbacks
    )


def accuracy(model, data, labels):
    scores = keras.ops.convert_to_numpy(model(data, training=False))
    return float(np.mean(scores.argmax(axis=1) == labels))


def compared(seed, epochs, stage, *callbacks):
    """Accuracies on the test set of all models of a seed, by name."""
    (data, labels), (test, test_labels) = split(seed)
    found = {}
    for name, title in SINGLE.items():
        keras.utils.set_random_seed(seed)
        model = single(name)
        train(model, data[name], labels, epochs, *callbacks)
        found[title] = accuracy(model, test[name], test_labels)
    keras.utils.set_random_seed(seed)
    model = fused(stage)
    train(model, fusion.complete(model, data), labels, epochs, *callbacks)
    found[BOTH] = accuracy(model, fusion.complete(model, test), test_labels)
    for name, title in WITHOUT.items():
        alone = fusion.complete(model, {name: test[name]})
        found[title] = accuracy(model, alone, test_labels)
    return found


def gain(found):
    """How much better both are than the better one alone."""
    return found[BOTH] - max(found[title] for title in SINGLE.values())


def show(rows):
    print(f"\n{'accuracy on the test set':26s}{'by seed':>24s}{'mean':>9s}")

    def row(title, values, sign=""):
        each = " ".join(f"{value:{sign}.3f}" for value in values)
        print(f"{title:26s}{each:>24s}{np.mean(values):{sign}9.3f}")

    for title in rows[0]:
        row(title, [found[title] for found in rows])
    row("gain over the better one", [gain(found) for found in rows], "+")


def draw(rows, path):
    figure, axes = pyplot.subplots(figsize=(6, 3), layout="constrained")
    titles = [*rows[0]]
    means = [np.mean([found[title] for found in rows]) for title in titles]
    colors = ["C0", "C1", "C2", "C1", "C0"]
    axes.barh(titles, means, color=colors, alpha=0.6)
    for found in rows:
        axes.plot([found[title] for title in titles], titles, "k.", ms=5)
    axes.axvline(386 / 1906, color="gray", ls=":", label="the most frequent category")
    axes.invert_yaxis()
    axes.set(xlabel="accuracy on the test set", xlim=(0, 1))
    figure.legend(loc="outside upper right")
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--stage", default="late", choices=["middle", "late"])
    parser.add_argument("--output", type=pathlib.Path, default="multimodal_output")
    args = parser.parse_args()
    args.output.mkdir(exist_ok=True)
    with tqdm.tqdm(total=3 * len(args.seeds) * args.epochs, unit="epoch") as bar:
        tick = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: bar.update())
        rows = [compared(s, args.epochs, args.stage, tick) for s in args.seeds]
    show(rows)
    draw(rows, args.output / "accuracies.png")
    print(f"\nThe picture is in {args.output}/")
    if min(map(gain, rows)) <= 0:
        raise SystemExit("Both did not beat the better one alone from every seed.")


if __name__ == "__main__":
    main()
