"""Convolutions that several maps share."""

import keras

from perfkit.layers.attention._parts import part
from perfkit.layers.detection._convolution import Convolution


class Tower(keras.layers.Layer):
    """Convolve maps of any size several times; see `Convolution` for arguments."""

    def __init__(self, filters, depth, normalization, maps, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.depth = depth
        self.normalization = normalization
        self.maps = maps

    def build(self, input_shape):
        self.steps = []
        channels = input_shape[-1]
        for number in range(self.depth):
            step = part(
                self,
                Convolution,
                (None, None, channels),
                filters=self.filters,
                normalization=self.normalization,
                activation="relu",
                maps=self.maps,
                name=f"step_{number}",
            )
            self.steps.append(step)
            channels = self.filters

    def call(self, inputs, number=0, training=None):
        for step in self.steps:
            inputs = step(inputs, number=number, training=training)
        return inputs
