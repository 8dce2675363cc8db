"""Arrays that grow by batches, in memory or in `.npy` files."""

import contextlib
import dataclasses
import pathlib
import zlib
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

_CHUNK = 2**24  # bytes


@dataclasses.dataclass(frozen=True)
class Stored:
    """What a file holds, and how to tell that it still does."""

    file: str
    shape: list[int]
    dtype: str
    bytes: int
    crc32: int


class Table:
    """Rows of a structure of arrays.

    Args:
        column: What makes a column from its name, unique in the table, and its first
            rows.
    """

    def __init__(self, column: Callable[[str, np.ndarray], Any]):
        self._make = column
        self._structure: Any = None
        self._columns: list[Any] = []
        self._kinds: list[Any] = []

    def append(self, batch: dict[str, Any]) -> None:
        """Append rows to each column."""
        leaves = keras.tree.flatten_with_path(batch)
        kinds = [(path, x.shape[1:], x.dtype) for path, x in leaves]
        if not self._columns:
            self._structure, self._kinds = batch, kinds
            self._columns = [
                self._make(f"{path[0]}-{number}", x)
                for number, (path, x) in enumerate(leaves)
            ]
        if kinds != self._kinds:
            first, then = ("; ".join(map(_said, k)) for k in (self._kinds, kinds))
            raise ValueError(
                "`cache_features`: samples have to be alike in all batches. "
                f"Received first {first}, then {then}"
            )
        for column, (_, rows) in zip(self._columns, leaves, strict=True):
            column.append(rows)

    def close(self) -> Any:
        """Return what each column makes of itself, in the structure of the batches."""
        made = [column.close() for column in self._columns]
        return keras.tree.pack_sequence_as(self._structure, made)


class InMemory:
    """Rows in memory; it becomes an array."""

    def __init__(self):
        self._parts: list[np.ndarray] = []

    def append(self, rows: np.ndarray) -> None:
        self._parts.append(rows)

    def close(self) -> np.ndarray:
        parts, self._parts = self._parts, []
        return np.concatenate(parts)


class InFile:
    """Rows in a `.npy` file; it becomes a description of the file.

    The file is written from front to end, and its header once more when the number of
    rows is known: on a full disk that is an error, where a memory map would have the
    process killed.

    Args:
        path: The file, which is not there yet.
        like: Rows of the same kind.
    """

    def __init__(self, path: pathlib.Path, like: np.ndarray):
        if like.dtype.kind not in "biufcSUmM":
            raise TypeError(
                f"`cache_features(path=...)` keeps arrays of numbers, not of "
                f"{like.dtype}, as which {path.stem} was given"
            )
        self._path, self._kind, self._rows, self._crc = path, like, 0, 0
        with writing(path):
            self._file = path.open("xb")
            self._header()

    def _header(self):
        shape = (self._rows, *self._kind.shape[1:])
        descr = np.lib.format.dtype_to_descr(self._kind.dtype)
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        # NumPy leaves room in it for a first axis that grows.
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, rows: np.ndarray) -> None:
        flat = flat_bytes(rows)
        with writing(self._path):
            self._file.write(flat)
        self._crc = zlib.crc32(flat, self._crc)
        self._rows += len(rows)

    def close(self) -> "Stored":
        with writing(self._path):
            size = self._file.tell()
            self._file.seek(0)
            self._header()
            self._file.close()
        shape = [self._rows, *self._kind.shape[1:]]
        dtype = self._kind.dtype.str
        return Stored(self._path.name, shape, dtype, size, self._crc)

    def abandon(self) -> None:
        """Close the file as it is."""
        with contextlib.suppress(OSError):
            self._file.close()


def opened(folder: pathlib.Path, column: Stored) -> np.ndarray:
    """Map a file into memory, if it is as it was described.

    Raises:
        ValueError: If it is not.
        OSError: If it cannot be read.
    """
    path = folder / pathlib.Path(column.file).name
    size = path.stat().st_size
    if size != column.bytes:
        raise ValueError(f"{path.name} has {size} bytes, not {column.bytes}")
    array: Any = np.load(path, mmap_mode="r", allow_pickle=False)
    if [list(array.shape), array.dtype.str] != [column.shape, column.dtype]:
        raise ValueError(f"{path.name} is {array.dtype} of shape {array.shape}")
    crc, flat = 0, flat_bytes(array)
    for start in range(0, len(flat), _CHUNK):
        crc = zlib.crc32(flat[start : start + _CHUNK], crc)
    if crc != column.crc32:
        raise ValueError(f"{path.name} holds other bytes than were written")
    return array


@contextlib.contextmanager
def writing(path):
    """Have errors of the operating system say what could not be written."""
    try:
        yield
    except OSError as error:
        text = f"`cache_features` cannot write {path}: {error.strerror or error}"
        raise OSError(error.errno, text) from error


def flat_bytes(array) -> Any:
    """The bytes of an array as an array."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _said(kind):
    path, shape, dtype = kind
    return f"{'/'.join(map(str, path))} {dtype}{shape}"
