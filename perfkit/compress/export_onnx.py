"""Write a Keras model as an ONNX file."""

import contextlib
import dataclasses
import gzip
import importlib
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras

from perfkit import _check
from perfkit.compress import _files, _quiet
from perfkit.compress.export_tflite import refuse_other_precision
from perfkit.compress.quantization.fake_quantization import FakeQuantization
from perfkit.compress.reparameterized import Reparameterized
from perfkit.graph.trails import trails

# What Keras itself converts with, and the extra of perfkit that has it.
_CONVERTERS = {"tensorflow": ("tf2onnx", "onnx"), "jax": ("jax2onnx", "onnx-jax")}


@dataclasses.dataclass(frozen=True)
class ONNXReport:
    """What `export_onnx` wrote.

    Attributes:
        path: The file.
        size: Its bytes.
        gzip_size: Its bytes after gzip, which is what a download costs.
        opset: Version of the set of operators that a runtime must know.
        inputs: Type and shape of each input by its name, in the order of the
            model's; `None` is a size that is free.
        outputs: The same of the outputs.

    Example:
        >>> ends = {"image": "float32 (None, 8)"}, {"class": "float32 (None, 3)"}
        >>> print(ONNXReport(Path("small.onnx"), 1200, 700, 15, *ends))
        small.onnx: opset 15, 1,200 bytes (700 after gzip)
          input   image: float32 (None, 8)
          output  class: float32 (None, 3)
    """

    path: Path
    size: int
    gzip_size: int
    opset: int
    inputs: dict[str, str]
    outputs: dict[str, str]

    def __str__(self):
        ends = {"input ": self.inputs, "output": self.outputs}
        lines = [
            f"  {end}  {name}: {kind}"
            for end, tensors in ends.items()
            for name, kind in tensors.items()
        ]
        return "\n".join(
            [
                f"{self.path}: opset {self.opset}, {self.size:,} bytes "
                f"({self.gzip_size:,} after gzip)",
                *lines,
            ]
        )


def export_onnx(model, path) -> ONNXReport:
    """Write a Keras model as an ONNX file, in float.

    The file runs the model as at inference, on any number of samples at a time. It is
    one file with the weights inside, which the checker of ONNX has passed. Its inputs
    are named as the model's; its outputs are in the order in which Keras flattens them.

    Keras converts, with tf2onnx under TensorFlow (`pip install 'perfkit[onnx]'`) and
    with jax2onnx under JAX (`pip install 'perfkit[onnx-jax]'`).

    Args:
        model: A built Sequential or Functional model, with any number of inputs and
            outputs, in float32. If `quantize`, `quantize_aware` or `cluster` made it,
            call `strip` first.
        path: Where to write, ending in `.onnx`, in an existing folder. A file that is
            there is replaced, once all went well.

    Returns:
        An `ONNXReport`: size, names and shapes of the inputs and outputs; print it.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument cannot be used, or the model has an operation that
            the converter cannot write.
        ImportError: If the packages that convert are not installed.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.ReLU()])
        >>> x = keras.ops.convert_to_numpy([[-1.0, 0.0, 1.0, 2.0]]).astype("float32")
        >>> keras.ops.convert_to_numpy(model(x)).tolist()
        [[0.0, 0.0, 1.0, 2.0]]

        The same by the file, where onnx and onnxruntime are installed:

        >>> report = export_onnx(model, "relu.onnx")  # doctest: +SKIP
        >>> import onnxruntime  # doctest: +SKIP
        >>> session = onnxruntime.InferenceSession(report.path)  # doctest: +SKIP
        >>> session.run(None, dict(zip(report.inputs, [x])))  # doctest: +SKIP
        [array([[0., 0., 1., 2.]], dtype=float32)]

    Reference: Open Neural Network Exchange, https://onnx.ai; what runs is
    `keras.Model.export(format="onnx")`.
    """
    path = _files.checked("export_onnx", path, ".onnx")
    signature = _signature(model)
    _check.installed("compress.export_onnx", "onnx", "onnx")
    _check.installed("compress.export_onnx", *_CONVERTERS[keras.backend.backend()])
    proto = _converted(model, signature)
    content = proto.SerializeToString()
    _files.write(path, content)
    return ONNXReport(
        path=path,
        size=len(content),
        gzip_size=len(gzip.compress(content)),
        opset=max(each.version for each in proto.opset_import if not each.domain),
        inputs=dict(map(_described, proto.graph.input)),
        outputs=dict(map(_described, proto.graph.output)),
    )


def _signature(model):
    """Return what the model takes, free in the size of its batch."""
    _check.instance("export_onnx", "model", model, keras.Model)
    try:
        single = isinstance(model, keras.Sequential)
        structure = model.inputs[0] if single else model.input
    except (AttributeError, TypeError, ValueError):
        expected = "a built Sequential or Functional model; around any other, "
        expected += "keras.Model(inputs, outputs) makes one"
        _check.fail("export_onnx", "model", expected, model)
    refuse_other_precision("export_onnx", model)
    if any(
        isinstance(trail[-1], (FakeQuantization, Reparameterized))
        for trail in trails(model)
    ):
        expected = "a plain model: strip(model) makes one of what fake quantization "
        expected += "or clustering made"
        _check.fail("export_onnx", "model", expected, model)
    return [keras.tree.map_structure(_spec, structure)]


def _spec(tensor):
    dtype = keras.backend.standardize_dtype(tensor.dtype)
    return keras.InputSpec(dtype, (None, *tensor.shape[1:]), name=tensor.name)


class _AtInference(keras.Model):
    """A model that a conversion cannot take for one in training.

    Under TensorFlow, Keras 3.15.1 does not say which it is, and its augmentations then
    work as in training.
    """

    def __init__(self, model):
        super().__init__(name=model.name)
        self.model = model
        self.built = True

    def call(self, inputs):
        return self.model(inputs, training=False)


def _converted(model, signature) -> Any:
    onnx = importlib.import_module("onnx")
    with tempfile.TemporaryDirectory() as folder, _silence():
        trial = Path(folder, "model.onnx")
        options = {"verbose": False, "input_signature": signature}
        try:
            _AtInference(model).export(trial, format="onnx", **options)
            # jax2onnx writes large weights as a second file; this reads both.
            proto = onnx.load(trial)
            # tf2onnx writes an operation that it does not know as it is.
            onnx.checker.check_model(proto, full_check=True)
        except Exception as error:  # of many types
            reason = str(error).partition("\n")[0]
            expected = f"one that Keras can write as ONNX. It says: {reason}"
            if "Erfc" in reason:
                expected += " That is of exact GELU: use one with approximate=True"
            _check.fail("export_onnx", "model", expected, model)
    return proto


@contextlib.contextmanager
def _silence():
    """Hold back what is said on the way; what went wrong becomes an error."""
    log = logging.getLogger("tf2onnx")
    level = log.level
    with _quiet.quiet(), warnings.catch_warnings():
        # Keras 3.15.1 asks NumPy 2 for a name that it has no more.
        warnings.filterwarnings("ignore", "In the future `np.object`")
        log.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            log.setLevel(level)


def _described(tensor):
    """Return the name of an input or output, and what it is."""
    kind = tensor.type.tensor_type
    helper = importlib.import_module("onnx").helper
    dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    sizes = kind.shape.dim
    shape = tuple(n.dim_value if n.HasField("dim_value") else None for n in sizes)
    return tensor.name, f"{dtype} {shape}"
