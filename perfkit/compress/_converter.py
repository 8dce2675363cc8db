"""From a Keras model to the bytes of a TFLite file, under any Keras backend.

The converter reads TensorFlow graphs. Under another backend the model is saved and
converted by a second Python process whose Keras runs on TensorFlow: a graph that
JAX lowers for TensorFlow keeps neither convolutions nor BatchNorm in a form that
TFLite can fuse.
"""

import importlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import NoReturn

import keras
import numpy as np

from perfkit import _backend, _check
from perfkit.compress import _quiet

_CHILD = "from perfkit.compress import _converter; _converter._child()"


def convert(model, samples, ranged, float_interface, verbose):
    """Return the bytes of a file.

    Args:
        model: A model that was checked.
        samples: Inputs whose ranges make an int8 file, or None.
        ranged: Whether the model has ranges itself, by fake quantization.
        float_interface: Whether an int8 file takes and returns floats.
        verbose: Whether a progress bar may be shown.
    """
    if keras.backend.backend() == "tensorflow":
        route = _convert
    else:
        route = _convert_elsewhere
        if importlib.util.find_spec("tensorflow") is None:
            _backend.tensorflow()  # raises: says what to install
    with _quiet.quiet() as live:
        stream = live if verbose else None
        return route(model, samples, ranged, float_interface, stream)


def _convert(model, samples, ranged, float_interface, stream):
    tf = _backend.tensorflow()
    (given,) = model.inputs

    @tf.function(input_signature=[tf.TensorSpec((1, *given.shape[1:]), given.dtype)])
    def serve(inputs):
        return model(inputs, training=False)

    concrete = serve.get_concrete_function()
    if (samples is not None or ranged) and _has_loops(concrete):
        refuse_loops(model)
    # Tracked is the function: a SavedModel of the model, which the converter would
    # make of it, fails on attributes that TensorFlow cannot save, and may lose
    # the weights without a word.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], serve)
    with warnings.catch_warnings():
        # Speaks of the quantization of 2017, which had no representative data.
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")
        if samples is not None or ranged:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if not float_interface:
                converter.inference_input_type = tf.int8
                converter.inference_output_type = tf.int8
        if samples is not None:
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.representative_dataset = lambda: (
                [sample[None]] for sample in progress(samples, stream)
            )
        try:
            return converter.convert()
        except Exception as error:  # of many types, with pages of MLIR
            form = "int8" if ranged or samples is not None else "TFLite"
            missing = re.findall(r"(?:Select|Custom) ops: (.+)", str(error))
            reason = ", ".join(missing) or str(error).partition("\n")[0]
            expected = f"made of operations that exist in {form}; not so: {reason}"
            _check.fail("export_tflite", "model", expected, model)


def _has_loops(concrete):
    """Whether the converter of TensorFlow 2.21 would kill the process in int8."""
    graph = concrete.graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return any(node.op in ("While", "StatelessWhile") for node in nodes)


def refuse_loops(model) -> NoReturn:
    """Raise the error of a model whose loops cannot be int8."""
    expected = "free of loops for int8; give recurrent layers unroll=True"
    _check.fail("export_tflite", "model", expected, model)


def progress(samples, stream):
    """Show a bar for a calibration of more than two seconds, if tqdm is installed."""
    if stream and importlib.util.find_spec("tqdm"):
        from tqdm import tqdm

        return tqdm(
            samples, desc="int8 calibration", unit="sample", delay=2, file=stream
        )
    return samples


def _convert_elsewhere(model, samples, ranged, float_interface, stream):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model.save(folder / "model.keras")
        modules = json.dumps(sorted(_modules(model)))
        (folder / "modules.json").write_text(modules, "utf-8")
        if samples is not None:
            np.save(folder / "samples.npy", samples)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                _CHILD,
                str(folder),
                f"{ranged:d}{float_interface:d}",
            ],
            stdout=stream if _is_file(stream) else subprocess.DEVNULL,  # the bar
            env={
                **os.environ,
                "KERAS_BACKEND": "tensorflow",
                "PYTHONPATH": os.pathsep.join(sys.path),  # the user's own layers
                "CUDA_VISIBLE_DEVICES": "-1",  # the GPU is this process's
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
            check=False,
        )
        if done.returncode == 0:
            return (folder / "model.tflite").read_bytes()
        error = folder / "error.txt"
        reason = f"it ended with code {done.returncode}"
        if error.exists():
            reason = error.read_text("utf-8")
    _, own, text = reason.partition("ValueError: `export_tflite(")
    if own:  # an argument that only the converter could judge
        raise ValueError(f"`export_tflite({text}")
    raise RuntimeError(
        "The process that converts with TensorFlow failed; save the model, set "
        f"KERAS_BACKEND=tensorflow, load it and export it there. Reason: {reason}"
    )


def _modules(model):
    """Return the modules whose classes and functions the saved model names."""
    found, pending = set(), [keras.saving.serialize_keras_object(model)]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            found.add(part.get("module"))
            pending.extend(part.values())
        elif isinstance(part, (list, tuple)):
            pending.extend(part)
    return {name for name in found if name in sys.modules and name != "__main__"}


def _is_file(stream):
    try:
        return stream.fileno() >= 0
    except (AttributeError, OSError):
        return False


def _child():
    """Convert what `_convert_elsewhere` left in the folder."""
    folder = Path(sys.argv[1])
    ranged, float_interface = (flag == "1" for flag in sys.argv[2])
    samples = folder / "samples.npy"
    try:
        for name in json.loads((folder / "modules.json").read_text("utf-8")):
            importlib.import_module(name)  # Keras loads only classes it has met
        # Not safe mode: the parent wrote the file from a model it already runs.
        model = keras.saving.load_model(
            folder / "model.keras", compile=False, safe_mode=False
        )
        array = np.load(samples) if samples.exists() else None
        content = _convert(model, array, ranged, float_interface, sys.stdout)
        (folder / "model.tflite").write_bytes(content)
    except Exception as error:
        unknown = re.search(r"Could not locate [^.]+", str(error))  # after pages
        reason = unknown[0] if unknown else f"{type(error).__name__}: {error}"
        (folder / "error.txt").write_text(reason, "utf-8")
        sys.exit(1)
