"""What is written in a TFLite file: its operators and constants.

Read from the file itself: an interpreter hides the operators that it hands on to a
delegate, and does not say which tensors are constants.
"""

import dataclasses
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from perfkit import _backend

_Shape = tuple[int, ...]
# Operators that turn a constant as it is stored into one that can be used.
_UNPACKING = ("DEQUANTIZE", "DENSIFY")
# Where other operators than those that multiply hold their table or their matrices.
_TABLES = {"GATHER": 0, "EMBEDDING_LOOKUP": 1}
_RECURRENT = ("LSTM", "RNN", "SVDF")


@dataclasses.dataclass(frozen=True, eq=False)
class Constant:
    """A constant of a file.

    Attributes:
        dtype: Name of its type, such as "int8".
        shape: Sizes.
        content: Its bytes, as they are stored.
        values: What is stored; of integers, the difference from the one that means 0.0.
            Empty if it is no array of numbers.
        weighs: Whether it stands for real numbers.
    """

    dtype: str
    shape: _Shape
    content: np.ndarray
    values: np.ndarray
    weighs: bool

    @property
    def size(self) -> int:
        """How many values it has, zeros that are not stored included."""
        return math.prod(self.shape)


@dataclasses.dataclass(frozen=True, eq=False)
class Operator:
    """An operator of a file.

    Attributes:
        kind: Its name, such as "CONV_2D".
        name: Name of the tensor that it makes.
        outputs: Numbers of the tensors that it makes; none in the body of a loop.
        constants: What only it takes, or it before others.
        kernels: Those that multiply its input, or are looked up.
        macs: Multiply-accumulates of one sample; `None` if they cannot be told.
    """

    kind: str
    name: str
    outputs: tuple[int, ...]
    constants: tuple[Constant, ...]
    kernels: tuple[Constant, ...]
    macs: int | None


@dataclasses.dataclass(frozen=True, eq=False)
class LiteFile:
    """What is written in a file.

    Attributes:
        operators: In the order in which they run.
        dtypes: How many tensors have each dtype.
        names: Names of the tensors of the main graph, by their numbers.
        ends: How many inputs and outputs that has.
    """

    operators: tuple[Operator, ...]
    dtypes: dict[str, int]
    names: tuple[str, ...]
    ends: tuple[int, int]


def read(content: bytes) -> LiteFile:
    """Read the bytes of a `.tflite` file."""
    schema = _schema()
    model = schema.ModelT.InitFromPackedBuf(content)
    kinds = [_kind(schema, code) for code in model.operatorCodes]
    seen: set[int] = set()  # buffers, which tensors may share
    operators, dtypes = [], Counter()
    for number, graph in enumerate(model.subgraphs):
        tensors = [_Tensor(schema, model, tensor) for tensor in graph.tensors]
        dtypes.update(tensor.dtype for tensor in tensors)
        unpacked: dict[int, int] = {}
        for operator in graph.operators:
            kind = kinds[operator.opcodeIndex]
            inputs = [unpacked.get(int(i), int(i)) for i in _listed(operator.inputs)]
            outputs = tuple(map(int, _listed(operator.outputs)))
            taken = [tensors[i] if i >= 0 else None for i in inputs]
            if kind in _UNPACKING and taken[0] and taken[0].is_constant:
                unpacked[outputs[0]] = inputs[0]
                continue
            new = [t for t in taken if t and t.is_constant and t.buffer not in seen]
            seen |= {tensor.buffer for tensor in new}
            made = tensors[outputs[0]] if outputs else None
            kernels = [k for k in _kernels(kind, taken) if k in new]
            operators.append(
                Operator(
                    kind,
                    made.name if made else "",
                    outputs if number == 0 else (),
                    tuple(tensor.constant() for tensor in new),
                    tuple(tensor.constant() for tensor in kernels),
                    _macs(kind, taken, made, operator, looped=number > 0),
                )
            )
    main = model.subgraphs[0]
    names = tuple(_text(tensor.name) for tensor in main.tensors)
    ends = len(main.inputs), len(main.outputs)
    return LiteFile(tuple(operators), dict(dtypes), names, ends)


class _Tensor:
    def __init__(self, schema, model, tensor):
        data = model.buffers[tensor.buffer].data
        self.buffer: int = tensor.buffer
        self.name = _text(tensor.name)
        self.shape: _Shape = tuple(map(int, _listed(tensor.shape)))
        self.dtype = _names(schema.TensorType)[tensor.type].lower()
        self.content = np.asarray(_listed(data), "uint8")
        self.is_constant = len(self.content) > 0
        quantization = tensor.quantization
        self._scales: Any = _listed(quantization.scale) if quantization else ()
        self._zeros: Any = _listed(quantization.zeroPoint) if quantization else ()

    def constant(self) -> Constant:
        weighs = "float" in self.dtype or len(self._scales) > 0
        values = self._values()
        return Constant(self.dtype, self.shape, self.content, values, weighs)

    def _values(self):
        if self.dtype == "int4":  # two to a byte, the lower half first
            halves = np.stack([self.content << 4, self.content & 0xF0], axis=-1)
            stored = (halves.ravel().view("int8") >> 4)[: math.prod(self.shape)]
        elif self.dtype in _NUMBERS:
            stored = self.content.view(np.dtype(self.dtype).newbyteorder("<"))
        else:
            return np.zeros(0)
        zero = self._zeros[0] if len(set(self._zeros)) == 1 else 0
        return stored if zero == 0 else stored.astype("int64") - zero


_NUMBERS = ("float16", "float32", "float64", "bool", "uint8", "uint16", "uint32")
_NUMBERS += ("uint64", "int8", "int16", "int32", "int64")


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated
    except ImportError:
        return _backend.tflite_schema()
    return schema_py_generated


def _kind(schema, code):
    # Codes below 128 are written in the older field too, by older writers only there.
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    kind = _names(schema.BuiltinOperator).get(number, f"OPERATOR_{number}")
    return _text(code.customCode) if kind == "CUSTOM" else kind


def _names(numbered) -> dict[int, str]:
    return {n: name for name, n in vars(numbered).items() if isinstance(n, int)}


def _text(text):
    return text.decode() if isinstance(text, bytes) else text or ""


def _listed(values) -> Any:
    return () if values is None else values


def _kernels(kind, taken):
    """The tensors among those taken that are kernels."""
    if any(word in kind for word in _RECURRENT):
        return [each for each in taken if each and len(each.shape) == 2]
    place = 1 if kind in _RULES else _TABLES.get(kind)
    return [] if place is None or taken[place] is None else [taken[place]]


@dataclasses.dataclass(frozen=True, eq=False)
class _Product:
    """An operator that multiplies: what it takes, what it makes, how it is set."""

    taken: list[Any]
    made: Any
    options: Any

    def of_outputs(self, axes) -> int:
        """Count the outputs times the sizes of these axes of the kernel."""
        return math.prod((*self.made.shape, *self.taken[1].shape[axes]))

    def of_inputs(self) -> int:
        """Count the inputs times the outputs that each of them goes to."""
        return math.prod((*self.taken[2].shape, *self.taken[1].shape[:-1]))

    def of_matrices(self) -> int:
        inner = -2 if self.options.adjX else -1
        return math.prod(self.made.shape) * self.taken[0].shape[inner]


_RULES: dict[str, Callable[[_Product], int]] = {
    "CONV_2D": lambda product: product.of_outputs(slice(1, None)),
    "DEPTHWISE_CONV_2D": lambda product: product.of_outputs(slice(1, 3)),
    "CONV_3D": lambda product: product.of_outputs(slice(0, -1)),
    "FULLY_CONNECTED": lambda product: product.of_outputs(slice(-1, None)),
    "TRANSPOSE_CONV": lambda product: product.of_inputs(),
    "BATCH_MATMUL": lambda product: product.of_matrices(),
}


def _macs(kind, taken, made, operator, looped):
    if kind in _RULES:
        product = _Product(taken, made, operator.builtinOptions)
        return None if looped else _RULES[kind](product)
    matrices = any(word in kind for word in (*_RECURRENT, "CONV_3D_TRANSPOSE"))
    return None if matrices or kind in ("WHILE", "IF") else 0
