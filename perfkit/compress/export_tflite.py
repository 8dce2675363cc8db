"""Write a Keras model as a TFLite file, float or fully int8."""

import dataclasses
import gzip
import tempfile
from collections import Counter
from pathlib import Path

import keras
import numpy as np

from perfkit import _check
from perfkit.compress import _calibration, _converter, _files, _litert_quantizer
from perfkit.compress.lite_model import LiteModel, LiteTensor
from perfkit.compress.quantization.fake_quantization import FakeQuantization
from perfkit.compress.stripping import baked
from perfkit.graph.arrays import array
from perfkit.graph.trails import trails


@dataclasses.dataclass(frozen=True)
class TFLiteReport:
    """What `export_tflite` wrote.

    Attributes:
        path: The file.
        size: Its bytes.
        gzip_size: Its bytes after gzip, which is what a download costs.
        quantization: None or "int8".
        input: `LiteTensor`: shape, dtype, scale and zero point of the input.
        output: The same of the output.
        tensor_dtypes: How many tensors have each dtype, weights included.
        floats: Names of tensors inside an int8 file that are float, with
            `strict=False`.

    Example:
        >>> tensor = LiteTensor((1, 4), "int8", 0.01, -28)
        >>> found = 1200, 700, "int8", tensor, tensor, {"int8": 2}
        >>> print(TFLiteReport(Path("relu.tflite"), *found))
        relu.tflite: int8, 1,200 bytes (700 after gzip)
          input    int8 (1, 4), scale 0.01, zero point -28
          output   int8 (1, 4), scale 0.01, zero point -28
          tensors  2 int8
    """

    path: Path
    size: int
    gzip_size: int
    quantization: str | None
    input: LiteTensor
    output: LiteTensor
    tensor_dtypes: dict[str, int]
    floats: tuple[str, ...] = ()

    def __str__(self):
        counts = ", ".join(f"{n} {dtype}" for dtype, n in self.tensor_dtypes.items())
        text = (
            f"{self.path}: {self.quantization or 'float'}, {self.size:,} bytes "
            f"({self.gzip_size:,} after gzip)\n"
            f"  input    {self.input}\n"
            f"  output   {self.output}\n"
            f"  tensors  {counts}"
        )
        return f"{text}\n  in float {_some(self.floats)}" if self.floats else text


def export_tflite(
    model,
    path,
    *,
    quantization=None,
    data=None,
    samples=300,
    engine="tensorflow",
    float_interface=False,
    strict=True,
    verbose=True,
) -> TFLiteReport:
    """Write a Keras model as a TFLite file, float or fully int8.

    The file runs the model as at inference, on one sample at a time: with fixed
    sizes every runtime can plan its memory and use its fast kernels. BatchNorm and
    ReLU become part of the convolution before them.

    What `quantize` and `quantize_aware` return has ranges and becomes an int8 file,
    without data. For other models `quantization="int8"` is post-training quantization
    by `engine`: weights per output channel, activations with the ranges seen on
    `data`. Every tensor of the file is an integer, so that it runs on
    integer-only hardware; a model that cannot be written so raises. To feed such a file
    outside of perfkit, send `report.input.quantize(x)` and read
    `report.output.dequantize(y)`; `LiteModel` does both.

    Works under each Keras backend if TensorFlow is installed. Under another backend
    than TensorFlow the conversion happens in a second Python process, so custom
    layers must live in a module that it can import.

    Args:
        model: A built Sequential or Functional model with one input and one output,
            whose sizes are all known but for the batch.
        path: Where to write, ending in `.tflite`, in an existing folder. A file
            that is there is replaced, once all went well.
        quantization: None (float, or int8 if the model has ranges) or "int8".
        data: For int8, if the model has no ranges: training inputs as the model takes
            them. An array of shape `(count, ...)`, or an iterable (`tf.data`,
            `PyDataset`, a list) of batches `x` or `(x, y)`.
        samples: How many of `data` are used at most, at least 1: evenly spaced ones of
            an array, the first ones of an iterable. A few hundred are enough.
        engine: What quantizes a model without ranges: "tensorflow" is TensorFlow's
            converter, "litert" litert-quantizer on the float file of the converter.
        float_interface: Whether an int8 file takes and returns float32, at the
            price of one conversion at each end.
        strict: Whether it is an error if an int8 file would compute in float somewhere.
            Give False for a model that `quantize(strict=False)` or
            `quantize_aware(strict=False)` left partly in float.
        verbose: Whether a calibration of more than two seconds shows a progress
            bar, if tqdm is installed.

    Returns:
        A `TFLiteReport`: sizes, types, scales; print it.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument cannot be used, or the model cannot be written in
            the form asked for.
        RuntimeError: If the second process failed.
        ImportError: If TensorFlow is not installed, or litert-quantizer for its
            engine.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.ReLU()])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = export_tflite(
        ...         model,
        ...         f"{folder}/relu.tflite",
        ...         quantization="int8",
        ...         data=np.linspace(-1, 1.55, 4 * 18).reshape(18, 4),
        ...     )
        >>> print(report.input)
        int8 (1, 4), scale 0.01, zero point -28
        >>> report.tensor_dtypes
        {'int8': 2}

    Reference: Jacob et al., "Quantization and Training of Neural Networks for
    Efficient Integer-Arithmetic-Only Inference", 2018, arXiv:1712.05877; what runs
    is the converter of TensorFlow, and litert-quantizer by Google.
    """
    path = _files.checked("export_tflite", path, ".tflite")
    _check.instance("export_tflite", "model", model, keras.Model)
    if quantization is not None:
        _check.one_of("export_tflite", "quantization", quantization, ["int8"])
    ranged = has_ranges(model)
    if ranged:
        quantization, model = "int8", baked(_checked_ranges(model))
    shape, dtype = _checked_model(model)
    _check.integer("export_tflite", "samples", samples)
    _check.one_of("export_tflite", "engine", engine, ["tensorflow", "litert"])
    _check.boolean("export_tflite", "float_interface", float_interface)
    _check.boolean("export_tflite", "strict", strict)
    _check.boolean("export_tflite", "verbose", verbose)
    calibration = None
    if quantization is None or ranged:
        _refuse_calibration(ranged, data, engine, float_interface)
    else:
        calibration = _calibration_data(model, data, shape, dtype, samples)
    if engine == "litert":
        arguments = calibration, float_interface, verbose
        content = _litert_quantizer.convert(model, *arguments)
    else:
        arguments = calibration, ranged, float_interface, verbose
        content = _converter.convert(model, *arguments)
    lite = _opened(model, content)
    floats = () if quantization is None else _floats(lite, float_interface)
    if floats and strict:
        expected = "made of operations that exist in int8; not so: "
        expected += f"{_some(floats)}. With strict=False these stay in float"
        _check.fail("export_tflite", "model", expected, model.name)
    _files.write(path, content)
    return TFLiteReport(
        path=path,
        size=len(content),
        gzip_size=len(gzip.compress(content)),
        quantization=quantization,
        input=lite.input,
        output=lite.output,
        tensor_dtypes=dict(Counter(dtype for _, dtype in lite.tensors())),
        floats=floats,
    )


def _some(names) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - 3} others" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def has_ranges(model) -> bool:
    """Whether there is fake quantization in a model."""
    return any(isinstance(trail[-1], FakeQuantization) for trail in trails(model))


def _checked_ranges(model):
    found = [trail[-1] for trail in trails(model)]
    ranges = [layer for layer in found if isinstance(layer, FakeQuantization)]
    unseen = [layer.name for layer in ranges if not array(layer.seen)]
    # The runtime ends the process over what is not a number.
    wild = [
        x.name for x in ranges if not np.isfinite([array(x.low), array(x.high)]).all()
    ]
    if wild:
        expected = f"a model whose ranges are finite; not so: {_some(wild)}"
        _check.fail("export_tflite", "model", expected, model.name)
    if unseen:
        expected = "a model whose ranges were seen: train it first, or give data to "
        expected += f"`quantize`; not so: {_some(unseen)}"
        _check.fail("export_tflite", "model", expected, model.name)
    return model


def _refuse_calibration(ranged, data, engine, float_interface):
    """Refuse what only the quantization of a model without ranges takes."""
    why = "where the model has ranges" if ranged else "without quantization='int8'"
    expected = f"left out {why}"
    if data is not None:
        _check.fail("export_tflite", "data", expected, data)
    if engine != "tensorflow":
        _check.fail("export_tflite", "engine", expected, engine)
    if float_interface and not ranged:
        _check.fail("export_tflite", "float_interface", expected, float_interface)


def _calibration_data(model, data, shape, dtype, samples):
    if data is None:
        expected = "some hundred training inputs when quantization='int8'"
        _check.fail("export_tflite", "data", expected, data)
    if dtype == "uint8":
        expected = (
            "a model that begins with a float32 `keras.Input` for int8, which has "
            "no operation for its uint8; export the network behind it"
        )
        _check.fail("export_tflite", "model", expected, model)
    return _calibration.collect("export_tflite", data, shape, dtype, samples)


def _checked_model(model):
    """Return the shape of one input sample and its dtype."""
    try:
        (given,), (_,) = model.inputs, model.outputs
        shape, dtype = tuple(given.shape[1:]), given.dtype
    except (AttributeError, TypeError, ValueError):
        shape, dtype = (None,), None
    if None in shape:
        expected = (
            "a built Sequential or Functional model with one input of known sizes and "
            "one output; around any other, keras.Model(inputs, outputs) makes one"
        )
        _check.fail("export_tflite", "model", expected, model)
    refuse_other_precision("export_tflite", model)
    return shape, keras.backend.standardize_dtype(dtype)


def refuse_other_precision(owner, model) -> None:
    """Raise if a model computes in another type than float32, the type of files."""
    found = (trail[-1] for trail in trails(model))
    others = {
        layer.name: layer.compute_dtype
        for layer in found
        if not isinstance(layer, (keras.Model, keras.layers.InputLayer))
        and keras.backend.is_float_dtype(layer.compute_dtype)
        and layer.compute_dtype != "float32"
    }
    if others:
        names = ", ".join(f"{name} ({dtype})" for name, dtype in others.items())
        expected = f"a float32 model; these layers compute in another type: {names}"
        _check.fail(owner, "model", expected, model)


def _opened(model, content):
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder, "model.tflite")
        trial.write_bytes(content)
        try:
            return LiteModel(trial)
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            expected = f"one whose file the runtime can run. It says: {reason}"
            _check.fail("export_tflite", "model", expected, model)


def _floats(lite, float_interface) -> tuple[str, ...]:
    """Return the names of float tensors in an int8 file; the converter is silent."""
    ends = lite.ends if float_interface else ()
    return tuple(n for n, dtype in lite.tensors() if "float" in dtype and n not in ends)
