"""The only door to tensorflow-model-optimization, and to Keras 2, which it works on.

Importing tensorflow-model-optimization sets an environment variable, here and for child
processes. A `tf.keras` that is used for the first time after that is Keras 2. This
module puts it back to Keras 3. Only `tf.compat.v1.keras` and `tf.compat.v2.keras` stay
Keras 2, since tensorflow-model-optimization takes classes from them.
"""

import functools
import importlib
import importlib.util
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import keras

from perfkit import _backend

_FLAG = "TF_USE_LEGACY_KERAS"
_MODULE = "tensorflow_model_optimization"
# What else of TensorFlow is Keras, each with a function `get`.
_ALIASES = ("initializers", "losses", "metrics", "optimizers")


@functools.cache
def tfmot() -> Any:
    """Import the module; keep `tf.keras` Keras 3, and the environment as it was."""
    return _imported(_MODULE)


@functools.cache
def tf_keras() -> Any:
    """Import Keras 2; keep `tf.keras` Keras 3."""
    return _imported("tf_keras")


def settle() -> None:
    """Have `tf.keras` be Keras 3 from now on, if TensorFlow is loaded.

    Raises:
        RuntimeError: If the environment asks for Keras 2, and not because
            tensorflow-model-optimization does.
    """
    tf: Any = sys.modules.get("tensorflow")
    is_set = os.environ.get(_FLAG) in ("true", "True", "1")
    if (is_set and _MODULE not in sys.modules) or (tf and not _began_with_keras_3()):
        raise RuntimeError(
            f"perfkit.compress.tfmot keeps `tf.keras` Keras 3, but {_FLAG} is set, "
            "which asks for Keras 2. Start without it, and write `tf_keras` where "
            "Keras 2 is meant."
        )
    if is_set:
        del os.environ[_FLAG]
    if tf is None or _is_keras_3(tf):  # the first use settles it
        return
    # To import the submodule is TensorFlow's own way to Keras 3, whatever `tf.keras`
    # was before.
    tf.keras = importlib.import_module("tensorflow.keras")
    for name in _ALIASES:
        setattr(tf, name, getattr(tf.keras, name))
    warnings.warn(
        f"`tf.keras` was Keras 2, as {_MODULE} was imported before `tf.keras` was "
        "used. It is Keras 3 from now on; what was taken from it before stays "
        "Keras 2. Import perfkit.compress.tfmot first, and write `tf_keras` where "
        "Keras 2 is meant.",
        stacklevel=3,
    )


def _is_keras_3(tf):
    if tf.keras.Model is not keras.Model:
        return False
    return all(getattr(tf, x).get is getattr(keras, x).get for x in _ALIASES)


def _began_with_keras_3():
    """Whether the environment asked for Keras 3 when TensorFlow was imported.

    TensorFlow chose then which Keras its submodule is.
    """
    spec = importlib.util.find_spec("tensorflow.keras")
    home = Path(keras.__file__).parent
    return not spec or not spec.origin or Path(spec.origin).is_relative_to(home)


def _imported(name):
    _backend.tensorflow()
    settle()
    before = os.environ.get(_FLAG)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of deprecations within it
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise ImportError(
            "perfkit.compress.tfmot needs tensorflow-model-optimization, tf-keras in "
            f"TensorFlow's version, and setuptools; missing is {error.name}. Install "
            "it with pip."
        ) from error
    finally:
        os.environ.pop(_FLAG, None)
        if before is not None:
            os.environ[_FLAG] = before
