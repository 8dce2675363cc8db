"""Networks of Keras, random weights: does each way of making them small work?"""

import keras
import numpy as np

from benchmarks.compressing import applications, files
from perfkit import compress
from perfkit.ops.signal_to_noise import sqnr


def apart(model, other, x):
    """The largest difference of the outputs, relative to the largest output."""
    ours, theirs = (each.predict(x, verbose=0) for each in (model, other))
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def run(folder):
    """Return a row of figures or of errors for each network."""
    rows = {}
    for name in applications.NAMES:
        model = applications.network(name, 96)
        x = applications.images(name, 48, 96)
        rows[name] = _row(model, x[:16], x[16:], folder)
        keras.backend.clear_session()
    return rows


def _row(model, calibration, test, folder):
    row = {"parameters": model.count_params()}
    row["fold"] = apart(compress.fold_batch_norm(model), model, test)
    small = compress.shrink(model, verbose=False)
    row["shrink"] = model.count_params() / small.count_params()
    row["shrunk outputs are finite"] = bool(
        np.isfinite(small.predict(test, verbose=0)).all()
    )
    reference = model.predict(test, verbose=0)
    try:
        aware = compress.quantize_aware(model, momentum=0.0)
        aware(calibration, training=True)
        quantized = compress.quantize(model, calibration, verbose=False)
    except ValueError as error:
        row["error"] = str(error)
        return row
    models = {"float": model, "int8": quantized, "converter": model, "aware": aware}
    options = {"quantization": "int8", "data": calibration}
    found = files.written(models, folder, converter=options)
    times = files.ratios(found, "float")
    # One step of training is not one that the float model had: compare with itself.
    own = {"aware": aware.predict(test, verbose=0)}
    for name, (lite, size) in found.items():
        row[name] = {
            **times[name],
            "times_smaller": found["float"][1]["bytes"] / size["bytes"],
            "sqnr": sqnr(own.get(name, reference), lite.predict(test)),
        }
    return row
