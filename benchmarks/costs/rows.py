"""Which layers are measured, with which arguments, on which inputs."""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras

from perfkit import layers

BATCH = 16
CHANNELS = 64
SIDE = 32  # of an image; of a sequence laid out as one it is half as much
UNITS = 100  # classes of a head


@dataclasses.dataclass(frozen=True)
class Row:
    """A layer, and what it is measured on.

    Attributes:
        kind: The class.
        arguments: Its arguments, or a function that returns them, where other layers
            are among them.
        inputs: A name in `INPUTS`.
        shown: The arguments as the page shows them.
    """

    kind: type
    arguments: dict | Callable[[], dict] = dataclasses.field(default_factory=dict)
    inputs: str = "image"
    shown: str = ""

    @property
    def name(self):
        return self.kind.__name__

    def make(self):
        given = self.arguments() if callable(self.arguments) else self.arguments
        return self.kind(**given)

    def described(self):
        if self.shown or callable(self.arguments):
            return self.shown
        return ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())


@dataclasses.dataclass(frozen=True)
class Inputs:
    """What layers are measured on, and beside what.

    Attributes:
        shape: Of one sample.
        yardstick: Makes what a layer is measured beside.
        title: Both in words.
    """

    shape: tuple[int, ...]
    yardstick: Callable[[], Any]
    title: str


def convolution():
    return keras.layers.Conv2D(CHANNELS, 3, padding="same")


def convolution_of_steps():
    """The steps as rows of an image, through the same convolution, and back."""
    side = SIDE // 2
    return keras.Sequential(
        [
            keras.layers.Reshape((side, side, CHANNELS)),
            convolution(),
            keras.layers.Reshape((side * side, CHANNELS)),
        ]
    )


def dense():
    return keras.layers.Dense(UNITS)


STEPS = (SIDE // 2) ** 2
HEADS = 4
INPUTS = {
    "image": Inputs(
        (SIDE, SIDE, CHANNELS),
        convolution,
        f"Images of {SIDE} x {SIDE} x {CHANNELS}, beside a `Conv2D` of 3 x 3 that keeps"
        " the channels",
    ),
    "sequence": Inputs(
        (STEPS, CHANNELS),
        convolution_of_steps,
        f"Sequences of {STEPS} steps of {CHANNELS}, beside the same `Conv2D` on the"
        f" steps laid out as {SIDE // 2} x {SIDE // 2}",
    ),
    "heads": Inputs(
        (STEPS, HEADS, CHANNELS // HEADS),
        convolution_of_steps,
        f"Queries of {STEPS} steps of {HEADS} heads of {CHANNELS // HEADS}, beside the"
        " same",
    ),
    "vector": Inputs(
        (8 * CHANNELS,),
        dense,
        f"Vectors of {8 * CHANNELS}, beside a `Dense` of {UNITS} units",
    ),
}


def _wrapped_convolution():
    return {"layer": convolution()}


def _wrapped_dense():
    return {"layer": dense()}


# By kind of inputs, then by name.
ROWS = [
    Row(layers.ASPP, {"filters": CHANNELS}),
    Row(layers.AttentionPool, {"heads": HEADS}),
    Row(layers.AttentionPool2D, {"heads": HEADS}),
    Row(layers.BlurPool),
    Row(layers.CBAM),
    Row(layers.ConcatPool),
    Row(layers.CoordinateAttention),
    Row(layers.DropBlock2D, {"rate": 0.1}),
    Row(layers.DropPath, {"rate": 0.1}),
    Row(layers.EfficientChannelAttention),
    Row(layers.FilterResponseNormalization),
    Row(layers.GeM),
    Row(layers.GhostBatchNormalization, {"virtual_batch_size": BATCH // 2}),
    Row(layers.GlobalContext),
    Row(layers.GlobalMaxPool),
    Row(layers.GlobalResponseNormalization),
    Row(layers.LayerScale),
    Row(layers.NonLocal2D, {"pool_size": 2}),
    Row(layers.ScaledGaussianNoise, {"stddev": 0.1}),
    Row(layers.SelectiveKernel, {"filters": CHANNELS}),
    Row(layers.SimAM),
    Row(layers.SPP),
    Row(layers.SqueezeExcite),
    Row(layers.StandardizedConv2D, {"filters": CHANNELS, "kernel_size": 3}),
    Row(layers.StochasticDepth, {"rate": 0.1}),
    Row(layers.ThresholdedLinearUnit),
    Row(layers.WeightNormalization, _wrapped_convolution, shown="the `Conv2D`"),
    Row(layers.DropBlock1D, {"rate": 0.1}, "sequence"),
    Row(layers.GEGLU, inputs="sequence"),
    Row(layers.SwiGLU, inputs="sequence"),
    Row(layers.RotaryEmbedding, inputs="heads"),
    Row(layers.CosineDense, {"units": UNITS}, "vector"),
    Row(layers.MultiSampleDropout, _wrapped_dense, "vector", "the `Dense`"),
]

NO_ROW: dict[type, str] = {}
