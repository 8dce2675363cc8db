"""Composable tricks that make a Keras model more accurate, smaller or faster."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfkit import augment as augment
    from perfkit import callbacks as callbacks
    from perfkit import compress as compress
    from perfkit import fusion as fusion
    from perfkit import layers as layers
    from perfkit import losses as losses
    from perfkit import metrics as metrics
    from perfkit import models as models
    from perfkit import optimizers as optimizers
    from perfkit import regularizers as regularizers
    from perfkit import schedules as schedules
    from perfkit import surgery as surgery
    from perfkit import transfer as transfer

__version__ = "0.1.0"

_FAMILIES = (
    "augment",
    "callbacks",
    "compress",
    "fusion",
    "layers",
    "losses",
    "metrics",
    "models",
    "optimizers",
    "regularizers",
    "schedules",
    "surgery",
    "transfer",
)


def __getattr__(name):
    if name in _FAMILIES:
        return importlib.import_module(f"perfkit.{name}")
    raise AttributeError(f"module 'perfkit' has no attribute {name!r}")


def __dir__():
    return sorted(["__version__", *_FAMILIES])
