"""The only door to tensorflow-model-optimization.

Importing it sets an environment variable that turns `tf.keras` into Keras 2, if
`tf.keras` was not used before, here and in child processes.
"""

import importlib
import os
from typing import Any

import keras

from perfkit import _backend

_FLAG = "TF_USE_LEGACY_KERAS"


def tfmot() -> Any:
    """Return the module; `tf.keras` stays Keras 3, and the environment as it was."""
    tf = _backend.tensorflow()
    before = os.environ.get(_FLAG)
    tf.keras.Model  # noqa: B018  the first use settles which Keras it is
    try:
        module = importlib.import_module("tensorflow_model_optimization")
    finally:
        if before is None:
            os.environ.pop(_FLAG, None)
        else:
            os.environ[_FLAG] = before
    if tf.keras.Model is not keras.Model:
        raise RuntimeError(
            f"`tf.keras` is Keras 2 in this process: {_FLAG} was set before, or "
            "tensorflow_model_optimization was imported before `tf.keras` was used. "
            "Import perfkit.compress.tfmot first."
        )
    return module
