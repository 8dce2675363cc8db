"""MobileNetV2 at 96 pixels, random weights: bytes, speed and noise of its files.

Weights and statistics of batch normalization are random, so that nothing is an
identity: sizes, times and noise are real, accuracy is not looked at.
"""

import keras

from benchmarks.compressing import applications, files
from perfkit import compress
from perfkit.ops.signal_to_noise import sqnr


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
    whole = applications.network("MobileNetV2", 96)
    x = applications.images("MobileNetV2", 96, 96)
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
        noise = sqnr(exact.get(kind, reference), lite.predict(test))
        rows[name] |= {
            **sizes,
            "times_smaller": found["float"][1]["bytes"] / sizes["bytes"],
            "times_smaller_gzip": found["float"][1]["bytes"] / sizes["gzip"],
            "sqnr": noise,
        }
    return rows
