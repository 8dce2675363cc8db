"""Reads tensors from a PyTorch file in the format before version 1.6, without PyTorch.

Such a file is four pickles (a magic number, the version of the format, facts about the
machine, the tensors), a fifth with the keys of the storages, and then each storage: the
number of its values and the values. A tensor is a view of a storage, often a permuted
one, with a shape and strides of its own.
"""

import collections
import io
import pickle

import numpy as np

from tests.support import strict_pickle

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001


def load(data):
    """Return `{name: array}` for the tensors in the bytes of a file."""
    file = io.BytesIO(data)
    magic, version, _, views, keys = (_Unpickler(file, KNOWN).load() for _ in range(5))
    if (magic, version) != (MAGIC, VERSION):
        raise ValueError("not a PyTorch file in the format before version 1.6")
    dtypes = {view.key: np.dtype(view.dtype) for view in views.values()}
    storages = {}
    for key in keys:
        count = int.from_bytes(file.read(8), "little")
        values = file.read(count * dtypes[key].itemsize)
        storages[key] = np.frombuffer(values, dtypes[key], count)
    return {name: view.of(storages[view.key]) for name, view in views.items()}


class _View:
    def __init__(self, storage, offset, shape, strides, *_):
        self.dtype, self.key = storage
        self.offset, self.shape, self.strides = offset, shape, strides

    def of(self, values):
        size = values.itemsize
        strides = [size * stride for stride in self.strides]
        # NumPy refuses a view that leaves its buffer.
        view = np.ndarray(self.shape, values.dtype, values, size * self.offset, strides)
        return view.copy()


KNOWN = {
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor_v2": _View,
    "torch.FloatStorage": "<f4",
    "torch.LongStorage": "<i8",
}


class _Unpickler(strict_pickle.Unpickler):
    def persistent_load(self, pid):
        kind, dtype, key, _, _, part = pid
        if kind != "storage" or part is not None:
            raise pickle.UnpicklingError(f"not a whole storage: {pid}")
        return dtype, key
