"""Two networks trained on real pictures of clothes, and made small.

The networks are that of the quickstart and one of residual blocks with depthwise
convolutions. Each is trained for 15 epochs; then int8 training, and fine-tuning of the
half that is left of its channels with the whole network as its teacher.
"""

import keras
import numpy as np

from benchmarks import distillation
from benchmarks.compressing import files
from examples import compress as example
from examples import fashion_mnist
from perfkit import compress


def quickstart():
    """The network of `examples/quickstart.py`."""
    return distillation.network(1)


# What makes a network, whether XLA trains it fast, and the share of channels that the
# whole chain keeps, with which its file is ten times smaller.
NETWORKS = {
    "quickstart": (quickstart, True, 0.6),
    "residual": (example.network, False, 0.4),
}


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
        return example.fit(model, train, epochs, verbose=0, **options)

    whole = trained(make(), 15, 3e-3)
    calibrated = compress.quantize(whole, train[0], verbose=False)
    calibrated = trained(calibrated, 3, 2e-4, whole)
    aware = compress.quantize_aware(whole, verbose=False)
    aware = trained(aware, 3, 2e-4, whole)
    half = compress.shrink(whole, keep=0.5, verbose=False)
    half = trained(half, 12, 3e-3, whole)
    least = compress.shrink(whole, keep=keep, round_to=4, verbose=False)
    least = trained(least, 12, 3e-3, whole)
    chain = compress.quantize(least, train[0], verbose=False)
    chain = trained(chain, 4, 3e-4, whole)
    models = {
        "float": whole,
        "int8, not trained": compress.quantize(whole, train[0], verbose=False),
        "int8 by the converter": whole,
        "int8, calibrated and trained": calibrated,
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
