"""A convolution with what follows it."""

import math
from typing import Any

import keras

from perfkit.layers.attention._parts import EPSILON, part

NORMALIZATIONS = ("batch", "group")
_MOMENTUM = 0.9  # heads and necks are trained for fewer steps than backbones


class Convolution(keras.layers.Layer):
    """Convolve, normalize, and apply an activation; channels last.

    Args:
        filters: Channels out.
        kernel_size: Side of the kernel.
        strides: Places from one to the next.
        normalization: `"batch"`, `"group"` with 8 channels to a group, or `None`.
        activation: What comes last, or `None`.
        separable: Whether channels are convolved one by one and then mixed.
        maps: How many maps share the kernel. Each is normalized by itself where it is
            over the batch, since statistics differ from map to map.
        use_bias: Whether there is a bias in front of a normalization, too.
        bias: What biases begin with.
        deviation: What weights deviate by at first; `None` for Keras's own.
    """

    def __init__(
        self,
        filters,
        kernel_size=3,
        strides=1,
        *,
        normalization=None,
        activation=None,
        separable=False,
        maps=1,
        use_bias=None,
        bias=0.0,
        deviation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.normalization = normalization
        self.activation = keras.activations.get(activation)
        self.maps = maps
        plain = normalization is None
        self.convolution = {
            "filters": filters,
            "kernel_size": kernel_size,
            "strides": strides,
            "padding": "same",
            "data_format": "channels_last",
            "use_bias": plain if use_bias is None else use_bias,
            "bias_initializer": keras.initializers.Constant(bias),
            "name": "convolve",
        }
        self.separable = separable
        if deviation is not None:
            normal = keras.initializers.RandomNormal(stddev=deviation)
            names = ("depthwise", "pointwise") if separable else ("kernel",)
            for name in names:
                self.convolution[f"{name}_initializer"] = normal

    def build(self, input_shape):
        kind = keras.layers.SeparableConv2D if self.separable else keras.layers.Conv2D
        self.convolve = part(self, kind, input_shape[1:], **self.convolution)
        filters = self.convolution["filters"]
        if self.normalization == "batch":
            self.normalize: Any = [
                part(
                    self,
                    keras.layers.BatchNormalization,
                    (None, None, filters),
                    epsilon=EPSILON,
                    momentum=_MOMENTUM,
                    name=f"normalize_{number}",
                )
                for number in range(self.maps)
            ]
        elif self.normalization == "group":
            self.normalize = part(
                self,
                keras.layers.GroupNormalization,
                (None, None, filters),
                groups=math.gcd(filters, max(filters // 8, 1)),
                epsilon=EPSILON,
                name="normalize",
            )

    def call(self, inputs, number=0, training=None):
        outputs = self.convolve(inputs)
        if self.normalization == "batch":
            outputs = self.normalize[number](outputs, training=training)
        elif self.normalization == "group":
            outputs = self.normalize(outputs)
        return self.activation(outputs)
