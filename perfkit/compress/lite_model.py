"""Run and time a TFLite file."""

import dataclasses
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from perfkit import _backend, _check
from perfkit.compress import _quiet


@dataclasses.dataclass(frozen=True)
class LiteTensor:
    """The input or output of a TFLite file.

    Attributes:
        shape: Sizes, batch first.
        dtype: Name of the type that the file takes or returns.
        scale: What one integer is worth in real units; None if not quantized.
        zero_point: The integer that means 0.0; None if not quantized.

    Example:
        >>> pixel = LiteTensor((1, 3), "int8", scale=0.5, zero_point=-128)
        >>> pixel.quantize(np.array([[0.0, 1.0, 500.0]])).tolist()
        [[-128, -126, 127]]
        >>> pixel.dequantize(np.array([[-128, -126, 127]], "int8")).tolist()
        [[0.0, 1.0, 127.5]]
    """

    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def quantize(self, x) -> np.ndarray:
        """Turn real values into what the file takes."""
        if self.scale is None or self.zero_point is None:
            return np.asarray(x, self.dtype)
        limits = np.iinfo(self.dtype)
        steps = np.round(np.asarray(x, "float32") / self.scale) + self.zero_point
        return np.clip(steps, limits.min, limits.max).astype(self.dtype)

    def dequantize(self, q) -> np.ndarray:
        """Turn what the file returns into real values."""
        if self.scale is None or self.zero_point is None:
            return np.asarray(q)
        return (np.asarray(q, "float32") - self.zero_point) * np.float32(self.scale)

    def __str__(self):
        text = f"{self.dtype} {self.shape}"
        if self.scale is None:
            return text
        return f"{text}, scale {self.scale:.6g}, zero point {self.zero_point}"


class LiteModel:
    """Run a TFLite file with one input and one output on the CPU.

    It runs on `ai_edge_litert` if that is installed, else on the interpreter inside
    TensorFlow.

    Args:
        path: The `.tflite` file.
        threads: Number of CPU threads, at least 1.

    Attributes:
        input: `LiteTensor` that says what the file takes.
        output: `LiteTensor` that says what the file returns.

    Raises:
        ValueError: If `path` is no TFLite file, or the file has several inputs,
            several outputs, or a fixed batch size other than 1.
        ImportError: If neither `ai_edge_litert` nor TensorFlow is installed.

    Example:
        >>> import keras, tempfile
        >>> from perfkit import compress
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.ReLU()])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = compress.export_tflite(model, f"{folder}/relu.tflite")
        ...     lite = LiteModel(f"{folder}/relu.tflite")
        >>> lite.predict(np.array([[-1, 0, 1, 2], [3, -4, 5, -6]])).tolist()
        [[0.0, 0.0, 1.0, 2.0], [3.0, 0.0, 5.0, 0.0]]
        >>> print(lite.input)
        float32 (1, 4)

    Reference: none (standard).
    """

    def __init__(self, path, *, threads=1):
        self.path = Path(path)
        self.threads = _check.integer("LiteModel", "threads", threads)
        if not self.path.is_file():
            _check.fail("LiteModel", "path", "an existing .tflite file", str(path))
        content = self.path.read_bytes()
        if content[4:8] != b"TFL3":
            _check.fail("LiteModel", "path", "a TFLite file", str(path))
        with _quiet.quiet():
            self._interpreter = _interpreter(content, self.threads)
            self._interpreter.allocate_tensors()
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if len(inputs) != 1 or len(outputs) != 1 or (*inputs[0]["shape"], 0)[0] != 1:
            expected = "a TFLite file with one input, one output and batch size 1"
            _check.fail("LiteModel", "path", expected, str(path))
        self._input_index, self._output_index = inputs[0]["index"], outputs[0]["index"]
        self.input, self.output = lite_tensor(inputs[0]), lite_tensor(outputs[0])

    def predict(self, x) -> np.ndarray:
        """Return the output for each sample of `x`, as real values.

        Args:
            x: Real values of shape `(batch, ...)`, as the Keras model takes them.
                Where the file is int8, they are quantized here, and its output is
                turned back.

        Returns:
            Real values of shape `(batch, ...)`.

        Raises:
            ValueError: If the samples have another shape than the file takes.
        """
        x = np.asarray(x)
        if x.shape[1:] != self.input.shape[1:]:
            expected = f"of shape {('batch', *self.input.shape[1:])}".replace("'", "")
            _check.fail("LiteModel.predict", "x", expected, x)
        y = np.empty((len(x), *self.output.shape[1:]), self.output.dtype)
        for i, sample in enumerate(x):
            q = self.input.quantize(sample[None])
            self._interpreter.set_tensor(self._input_index, q)
            self._interpreter.invoke()
            y[i] = self._interpreter.get_tensor(self._output_index)[0]
        return self.output.dequantize(y)

    def latency(self, *, runs=100, warm_up=10) -> float:
        """Return the median time of one run, in milliseconds, at batch 1.

        The input is zeros. Compare only what was timed on the same machine, one
        after the other.

        Args:
            runs: Number of timed runs. At least 1.
            warm_up: Number of runs before, not timed. At least 0.
        """
        _check.integer("LiteModel.latency", "runs", runs)
        _check.integer("LiteModel.latency", "warm_up", warm_up, low=0)
        run = self.on_zeros()
        seconds = []
        for _ in range(warm_up + runs):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        return 1e3 * statistics.median(seconds[warm_up:])

    def on_zeros(self) -> Callable[[], None]:
        """Return a function that runs the file once on zeros, which `latency` times."""
        zeros = self.input.quantize(np.zeros(self.input.shape, "float32"))
        self._interpreter.set_tensor(self._input_index, zeros)
        return self._interpreter.invoke

    @property
    def ends(self) -> tuple[str, str]:
        """Names of the tensors that it takes and returns."""
        given, made = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )
        return given[0]["name"], made[0]["name"]

    @property
    def runtime(self) -> str:
        """Name of the package that runs the file."""
        return type(self._interpreter).__module__.partition(".")[0]

    def tensors(self) -> list[tuple[str, str]]:
        """Return `(name, dtype)` of every tensor in the file, weights included."""
        details = self._interpreter.get_tensor_details()
        return [(d["name"], _name(d["dtype"])) for d in details if d["name"]]

    def __repr__(self):
        return f"LiteModel({str(self.path)!r}, threads={self.threads})"


def _name(dtype) -> str:
    return np.dtype(dtype).name


def lite_tensor(details) -> LiteTensor:
    """Return what an interpreter says of a tensor."""
    scale, zero_point = details["quantization"]
    shape = tuple(int(n) for n in details["shape"])
    if scale == 0:
        return LiteTensor(shape, _name(details["dtype"]))
    return LiteTensor(shape, _name(details["dtype"]), float(scale), int(zero_point))


def inner_interpreter(content) -> Any:
    """Return an interpreter that can be asked for every tensor once it has run.

    It keeps them all and does without the fast kernels of a delegate.
    """
    with _quiet.quiet():
        interpreter = _interpreter(content, 1, is_kept=True)
        interpreter.allocate_tensors()
    return interpreter


def _interpreter(content, threads, *, is_kept=False) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError:
        try:
            lite = _backend.tensorflow().lite
            Interpreter = lite.Interpreter
            OpResolverType = lite.experimental.OpResolverType
        except ImportError as error:
            raise ImportError(
                "LiteModel needs a TFLite runtime. Install one: "
                "pip install perfkit[compress]"
            ) from error
    with warnings.catch_warnings():
        # tf.lite.Interpreter will be deleted; what replaces it is tried first.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated")
        if not is_kept:
            return Interpreter(model_content=content, num_threads=threads)
        return Interpreter(
            model_content=content,
            experimental_op_resolver_type=(
                OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
            ),
            experimental_preserve_all_tensors=True,
        )
