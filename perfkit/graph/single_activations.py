"""Activations as the single operations that a quantized file has for them."""

from collections.abc import Callable
from typing import Any

import keras

_layers = keras.layers


def _hard_sigmoid(x):
    return _layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)


def _hard_silu(x):
    return x * _hard_sigmoid(x)


def _relu(x):
    return _layers.ReLU()(x)


def _relu6(x):
    return _layers.ReLU(6.0)(x)


# Activations that are made of several operations, or are a layer of their own.
SINGLE_ACTIVATIONS: dict[Any, Callable] = {
    keras.activations.hard_sigmoid: _hard_sigmoid,
    keras.activations.hard_silu: _hard_silu,
    keras.activations.relu: _relu,
    keras.activations.relu6: _relu6,
}
