"""Quantization of a float TFLite file by litert-quantizer, after the converter."""

import contextlib
import importlib
import io
import warnings

import numpy as np

from perfkit import _check
from perfkit.compress import _converter, _quiet
from perfkit.compress.lite_model import inner_interpreter
from perfkit.compress.reporting import _lite_file


def convert(model, samples, float_interface, verbose):
    """Return the bytes of an int8 file.

    Args:
        model: A model that was checked.
        samples: Inputs whose ranges make the file.
        float_interface: Whether the file takes and returns floats.
        verbose: Whether a progress bar may be shown.
    """
    # The package itself asks for the one runtime that it was made with.
    _check.installed("compress.export_tflite", "litert_quantizer", "litert")
    content = _converter.convert(model, None, False, False, verbose)
    operators = _lite_file.read(content).operators
    if any(operator.kind == "WHILE" for operator in operators):
        _converter.refuse_loops(model)
    with _quiet.quiet() as live:
        bar = _converter.progress(samples, live if verbose else None)
        ranges = _ranges(content, operators, bar)
        try:
            return _quantized(content, ranges, float_interface)
        except Exception as error:  # of many types, from deep inside
            reason = str(error).partition("\n")[0]
            expected = f"one that litert-quantizer can quantize. It says: {reason}"
            _check.fail("export_tflite", "model", expected, model)


def _ranges(content, operators, samples):
    """Return the least and the largest value of each tensor that is computed.

    The calibration of litert-quantizer itself moves an average of these by a twentieth
    with each sample, so that what is seen depends on the order.
    """
    interpreter = inner_interpreter(content)
    (given,) = interpreter.get_input_details()
    computed = {given["index"], *(i for each in operators for i in each.outputs)}
    tensors = [
        (details["index"], details["name"], (1,) * len(details["shape"]))
        for details in interpreter.get_tensor_details()
        if details["index"] in computed and details["dtype"] == np.float32
    ]
    low = {name: np.full(ones, np.inf, "float32") for _, name, ones in tensors}
    high = {name: -values for name, values in low.items()}
    for sample in samples:
        interpreter.set_tensor(given["index"], sample[None])
        interpreter.invoke()
        for index, name, _ in tensors:
            values = interpreter.get_tensor(index)
            np.minimum(low[name], values.min(), out=low[name])
            np.maximum(high[name], values.max(), out=high[name])
    return {name: {"min": low[name], "max": high[name]} for name in low}


def _quantized(content, ranges, float_interface):
    package = importlib.import_module("litert_quantizer.quantizer")
    recipe = importlib.import_module("litert_quantizer.recipe").static_wi8_ai8()
    quantizer = package.Quantizer(bytearray(content), recipe)
    if float_interface:
        operations = importlib.import_module("litert_quantizer.qtyping")
        for end in ("INPUT", "OUTPUT"):
            quantizer.update_quantization_recipe(
                ".*",
                operations.TFLOperationName[end],
                algorithm_key=package.AlgorithmName.NO_QUANTIZE,
            )
    hidden = contextlib.redirect_stderr(io.StringIO())  # a bar that shows unasked
    with warnings.catch_warnings(), hidden:
        # It only asks an interpreter what signatures the file has.
        warnings.filterwarnings("ignore", ".*`experimental_preserve_all_tensors`")
        result = quantizer.quantize(ranges, enable_progress_report=False)
    return bytes(result.quantized_model)
