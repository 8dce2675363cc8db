"""The one file that knows backends."""

import pathlib
import re

import keras
import numpy as np

import perfkit
from perfkit import _backend

PACKAGE = pathlib.Path(perfkit.__file__).parent
TENSOR_CODE = ["_random.py", "augment/*.py", "ops/*.py"]


def used_operations():
    files = [file for pattern in TENSOR_CODE for file in PACKAGE.glob(pattern)]
    return {
        name
        for f in files
        for name in re.findall(r"(?<!keras\.)\bops\.(\w+)\(", f.read_text())
    }


def test_every_operation_is_translated_to_tensorflow_and_none_in_vain():
    assert used_operations() == set(_backend._tensorflow_table())


class Asks(keras.layers.Layer):
    def call(self, inputs):
        self.answer = _backend.is_called_by_another(self)
        return inputs


def test_a_layer_knows_whether_another_called_it():
    layer = Asks()
    layer(np.zeros((1, 2)))
    assert not layer.answer
    keras.Sequential([layer])(np.zeros((1, 2)))
    assert layer.answer
    layer(np.zeros((1, 2)))
    assert not layer.answer
