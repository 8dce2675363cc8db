"""Two networks trained on real pictures of clothes, and made small.

The networks are that of the quickstart and one of residual blocks with depthwise
convolutions. Each is trained for 15 epochs; then int8 training, and fine-tuning of the
half that is left of its channels with the whole network as its teacher.
"""

import keras
import numpy as np

from benchmarks import distillation
from benchmarks.compressing import files
from examples import fashion_mnist
from perfkit import compress, transfer

BATCH = 64
layers = keras.layers


def quickstart():
    """The network of `examples/quickstart.py`."""
    return distillation.network(1)


def residual():
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
    return keras.Model(inputs, layers.Dense(10)(x))


# What makes a network, whether XLA trains it fast, and the share of channels that the
# whole chain keeps.
NETWORKS = {"quickstart": (quickstart, True, 0.5), "residual": (residual, False, 0.4)}


def fitted(model, data, *, epochs, rate, jit_compile, teacher=None):
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
    training.fit(images, labels, batch_size=BATCH, epochs=epochs, verbose=0)
    return model


def one(name, seed, folder, short=False):
    """Figures of one network and seed, by stage."""
    make, jit_compile, keep = NETWORKS[name]
    train, (images, labels) = fashion_mnist.load()
    train = train[0].astype("float32"), train[1]
    images = images.astype("float32")
    keras.utils.set_random_seed(seed)

    def trained(model, epochs, rate, teacher=None):
        epochs = 1 if short else epochs
        options = {"rate": rate, "jit_compile": jit_compile, "teacher": teacher}
        return fitted(model, train, epochs=epochs, **options)

    whole = trained(make(), 15, 3e-3)
    aware = compress.quantize(whole, train[0], verbose=False)
    aware = trained(aware, 3, 2e-4, whole)
    half = compress.shrink(whole, keep=0.5, verbose=False)
    half = trained(half, 12, 3e-3, whole)
    least = half
    if keep != 0.5:
        least = compress.shrink(whole, keep=keep, round_to=4, verbose=False)
        least = trained(least, 12, 3e-3, whole)
    chain = compress.quantize(least, train[0], verbose=False)
    chain = trained(chain, 4, 3e-4, whole)
    models = {
        "float": whole,
        "int8, not trained": compress.quantize(whole, train[0], verbose=False),
        "int8 by the converter": whole,
        "int8, trained": aware,
        "half the channels": half,
        f"{keep:.0%} of the channels, int8, trained": chain,
    }
    converter = {"quantization": "int8", "data": train[0]}
    found = files.written(models, folder, **{"int8 by the converter": converter})
    rows = files.ratios(found, "float")
    for stage, (lite, sizes) in found.items():
        answers = lite.predict(images).argmax(axis=1)
        in_keras = models[stage].predict(images, verbose=0).argmax(axis=1)
        rows[stage] |= {
            **sizes,
            "times_smaller": found["float"][1]["bytes"] / sizes["bytes"],
            "accuracy": float(np.mean(answers == labels)),
            "accuracy_in_keras": float(np.mean(in_keras == labels)),
            "agreement": float(np.mean(answers == in_keras)),
        }
    return rows
