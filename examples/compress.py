"""A network of residual blocks made small and fast, on real pictures of clothes.

    python -m pip install -e ".[examples]"
    python examples/compress.py

It trains the network, then makes it smaller in four ways:

1. integers: int8 weights and tensors, without training;
2. zeros: 80 % of the weights but those of depthwise kernels, which the table counts
   too (77 %); that shows in the download alone; and integers;
3. fewer channels: half of them, fine-tuned with the whole network as the teacher;
4. both: the half in integers, trained once more as what it will be.

It writes a `.keras` or `.tflite` file of each, prints one table of sizes, accuracies
and measured times, and draws it.
"""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import keras
import matplotlib as mpl

from examples import fashion_mnist
from perfkit import compress, transfer

mpl.use("agg")
BATCH = 64
layers = keras.layers


def network(name=None):
    """Inverted residual blocks, as in MobileNetV2."""

    def normed(x, active=True):
        x = layers.BatchNormalization(momentum=0.9)(x)
        return layers.ReLU(6.0)(x) if active else x

    inputs = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 255)(inputs)
    x = normed(layers.Conv2D(32, 3, 2, padding="same", use_bias=False)(x))
    for number, filters in enumerate((32, 64, 128)):
        for strides in (1 if number == 0 else 2, 1):
            y = normed(layers.Conv2D(2 * filters, 1, use_bias=False)(x))
            y = layers.DepthwiseConv2D(3, strides, padding="same", use_bias=False)(y)
            y = layers.Conv2D(filters, 1, use_bias=False)(normed(y))
            y = normed(y, active=False)
            same = strides == 1 and x.shape[-1] == filters
            x = layers.Add()([x, y]) if same else y
    x = normed(layers.Conv2D(256, 1, use_bias=False)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(10)(x), name=name)


def fit(model, data, epochs, *, rate, teacher=None, jit_compile=False, **options):
    """Train a model, with or without a teacher, with warm-up and cosine decay."""
    images, labels = data
    steps = epochs * -(-len(images) // BATCH)
    decay = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 10, warmup_target=rate, warmup_steps=steps // 10
    )
    training = model
    if teacher is not None:
        soft = transfer.SoftTargets(3.0)
        training = transfer.Distiller(teacher, model, soft, student_loss_weight=0.2)
    training.compile(
        keras.optimizers.Adam(decay),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=jit_compile,
    )
    options = {"batch_size": BATCH, "epochs": epochs, "verbose": 2, **options}
    training.fit(images, labels, **options)
    return model


def made_small(whole, data, epochs):
    """The model in its smaller forms, by name."""
    images, _ = data

    print("\nzeros")
    sparse = keras.models.clone_model(whole)
    sparse.set_weights(whole.get_weights())
    steps = epochs * -(-len(images) // BATCH)
    pruning = compress.Pruning(compress.CubicSparsity(0.8, steps=steps * 2 // 3))
    fit(sparse, data, epochs, rate=1e-3, teacher=whole, callbacks=[pruning])

    print("\nfewer channels")
    half = compress.shrink(whole, keep=0.5)
    fit(half, data, 2 * epochs, rate=3e-3, teacher=whole)

    print("\nfewer channels, integers")
    both = compress.quantize(half, images)
    fit(both, data, epochs, rate=3e-4, teacher=whole)
    return {
        "integers": compress.quantize(whole, images),
        "zeros, integers": compress.quantize(sparse, images),
        "half": half,
        "half, integers": both,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=15, help="of the whole network")
    parser.add_argument(
        "--fine-tune", type=int, default=4, help="epochs, of the others"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=pathlib.Path, default="compress_output")
    arguments = parser.parse_args()
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    (images, labels), (test_images, test_labels) = fashion_mnist.load()
    data = images.astype("float32"), labels
    test = test_images.astype("float32"), test_labels

    keras.utils.set_random_seed(arguments.seed)
    print("the whole network")
    whole = fit(network("whole"), data, arguments.epochs, rate=3e-3)
    models = {"whole": whole, **made_small(whole, data, arguments.fine_tune)}
    files = {}
    for name, model in models.items():
        files[name] = folder / f"{name.replace(', ', '_')}.tflite"
        compress.export_tflite(model, files[name], verbose=False)
    whole.save(folder / "whole.keras")

    found = compress.report(files, data=test, reference=whole)
    print(f"\n{found}")
    found.show(folder / "report.png")
    print(f"\nThe files and a picture of this are in {folder}/")


if __name__ == "__main__":
    main()
