"""MobileNetV2 at 96 pixels, random weights: bytes, speed and noise of its files.

Weights and statistics of batch normalization are random, so that nothing is an
identity: sizes, times and noise are real, accuracy is not looked at.
"""

import keras
import numpy as np

from benchmarks.compressing import files
from perfkit import compress

SIZE = 96


def model(name="MobileNetV2", seed=0):
    """A network of Keras whose batch normalization does something."""
    keras.utils.set_random_seed(seed)
    make = getattr(keras.applications, name)
    options = {"weights": None, "classes": 10, "classifier_activation": None}
    made = make(input_shape=(SIZE, SIZE, 3), **options)
    rng = np.random.default_rng(seed)
    for layer in made._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            count = layer.moving_mean.shape
            values = {
                "gamma": rng.uniform(0.7, 1.3, count),
                "beta": rng.normal(0.0, 0.2, count),
                "moving_mean": rng.normal(0.0, 0.2, count),
                "moving_variance": rng.uniform(0.3, 1.2, count),
            }
            for weight in layer.weights:
                weight.assign(values[weight.name])
    return made


def images(count, low=-1.0, high=1.0):
    """Smooth noise; white noise would be an easy input."""
    rng = np.random.default_rng(1)
    coarse = rng.normal(size=(count, SIZE // 8, SIZE // 8, 3))
    x = keras.ops.image.resize(coarse, (SIZE, SIZE), interpolation="bicubic")
    x = np.array(keras.ops.convert_to_numpy(x))
    x /= np.abs(x).max()
    return (low + (x + 1.0) / 2.0 * (high - low)).astype("float32")


def sparse(whole, sparsity):
    """The same with so many zeros in each kernel but those of depthwise layers."""
    copy = keras.models.clone_model(whole)
    copy.set_weights(whole.get_weights())
    kinds = (keras.layers.Conv2D, keras.layers.Dense)
    where = [layer for layer in copy.layers if type(layer) in kinds]
    compress.prune(copy, sparsity, where=where)
    return copy


def run(folder):
    """Return rows of figures by the name of the file."""
    whole, x = model(), images(96)
    calibration, test = x[:32], x[32:]
    reference = whole.predict(test, verbose=0)
    small = compress.shrink(whole, keep=0.5, verbose=False)
    empty = sparse(whole, 0.9)
    models = {
        "float": whole,
        "int8": compress.quantize(whole, calibration, verbose=False),
        "int8, mse": compress.quantize(
            whole, calibration, calibration="mse", verbose=False
        ),
        "int8 by the converter": whole,
        "half the channels, float": small,
        "half the channels, int8": compress.quantize(small, calibration, verbose=False),
        "90 % zeros, int8": compress.quantize(empty, calibration, verbose=False),
    }
    converter = {"quantization": "int8", "data": calibration}
    found = files.written(models, folder, **{"int8 by the converter": converter})
    rows = files.ratios(found, "float")
    exact = {
        "float": reference,
        "half the channels": small.predict(test, verbose=0),
        "90 % zeros": empty.predict(test, verbose=0),
    }
    for name, (lite, sizes) in found.items():
        kind = name.partition(",")[0]
        noise = files.sqnr(exact.get(kind, reference), lite.predict(test))
        rows[name] |= {
            **sizes,
            "times_smaller": found["float"][1]["bytes"] / sizes["bytes"],
            "times_smaller_gzip": found["float"][1]["bytes"] / sizes["gzip"],
            "sqnr": noise,
        }
    return rows
