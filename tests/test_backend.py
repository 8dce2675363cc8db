"""The one file that knows backends."""

import pathlib
import re

import keras
import numpy as np

import perfkit
from perfkit import _backend, augment
from perfkit._tensorflow_ops import TensorFlowOps

PACKAGE = pathlib.Path(perfkit.__file__).parent
TENSOR_CODE = ["_random.py", "augment/*.py", "ops/*.py"]


def used_operations():
    files = [file for pattern in TENSOR_CODE for file in PACKAGE.glob(pattern)]
    texts = [file.read_text() for file in files]
    return {
        name
        for text in texts
        if "keras_ops as ops" not in text  # never part of a tf.data pipeline
        for name in re.findall(r"(?<!keras\.)\bops\.(\w+)\(", text)
    }


def test_every_operation_is_translated_to_tensorflow_and_none_in_vain():
    assert used_operations() == set(TensorFlowOps(_backend.tensorflow).table())


def test_layers_do_not_count_as_retraces_of_each_other(caplog):
    for _ in range(8):
        augment.RandomInvert()(np.zeros((2, 2, 3)))
    assert not caplog.records


def test_a_variable_is_seen_without_a_copy_and_as_it_was():
    variable = keras.Variable(np.arange(6, dtype="float32").reshape(2, 3))
    first, again = _backend.seen(variable), _backend.seen(variable)
    assert np.shares_memory(first, again)
    variable.assign(np.zeros((2, 3), "float32"))
    np.testing.assert_array_equal(first, np.arange(6).reshape(2, 3))
    assert not _backend.seen(variable).any()
