"""One row for each public layer: what goes in, how it is made, what holds for it."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import keras

from perfkit import layers


@dataclasses.dataclass(frozen=True)
class Case:
    """What the conformance suite knows of a layer.

    Attributes:
        shape: Shape of one sample, channels last; or a list, tuple or dict of such.
        arguments: Arguments of the layer, or a function that returns them, where other
            layers are among them, which have to be new each time.
        random: Whether it draws while training.
        coupled: Whether the samples of a batch depend on each other at inference.
        fixed: Whether the sizes of the places have to be known.
        formats: Whether channels first is the same transposed, where it takes a
            `data_format`.
        half: How far bfloat16 may be from float32, of the largest output.
        slow: Whether its checks take seconds, and so run with `-m slow` alone.
        typical: Whether checks that compile, and all under JAX, run by default;
            otherwise they do so with `-m slow`. True for one of those that share their
            plumbing.
    """

    shape: Any
    arguments: dict | Callable[[], dict] = dataclasses.field(default_factory=dict)
    _: dataclasses.KW_ONLY
    random: bool = False
    coupled: bool = False
    fixed: bool = False
    formats: bool = True
    half: float = 0.03
    slow: bool = False
    typical: bool = False

    def made(self):
        return self.arguments() if callable(self.arguments) else self.arguments


def _around_dense():
    return {"layer": keras.layers.Dense(3)}


# By family, one line a layer.
CASES = {
    layers.AttentionPool: Case((4, 5, 6), {"heads": 2}),
    layers.AttentionPool2D: Case((4, 5, 6), {"heads": 2, "units": 3}, fixed=True),
    layers.CBAM: Case((8, 9, 4), {"ratio": 2, "kernel_size": 3}),
    layers.ConcatPool: Case((4, 5, 6)),
    layers.CoordinateAttention: Case((4, 5, 6)),
    layers.CosineDense: Case((6,), {"units": 3}),
    layers.DropBlock1D: Case((9, 4), {"rate": 0.2, "block_size": 2}, random=True),
    layers.DropBlock2D: Case((8, 9, 4), {"rate": 0.2, "block_size": 2}, random=True),
    layers.DropPath: Case((4, 3), {"rate": 0.5}, random=True, typical=True),
    layers.EfficientChannelAttention: Case((4, 5, 6)),
    layers.GeM: Case((4, 5, 6), {"per_channel": True}, typical=True),
    layers.GhostBatchNormalization: Case((4, 3), {"virtual_batch_size": 2}),
    layers.GlobalContext: Case((4, 5, 6), {"ratio": 2}),
    layers.GlobalMaxPool: Case((4, 5, 6)),
    layers.LayerScale: Case((4, 3), {"initial": 0.5}),
    layers.MultiSampleDropout: Case((6,), _around_dense, random=True),
    layers.NonLocal2D: Case((4, 6, 6), {"pool_size": 2}),
    layers.ScaledGaussianNoise: Case((4, 3), {"stddev": 0.2}, random=True),
    layers.SelectiveKernel: Case((5, 6, 4), {"filters": 6, "least_units": 4}),
    layers.SimAM: Case((4, 5, 6), {"identity": True}),
    layers.SqueezeExcite: Case((4, 5, 6), {"ratio": 2, "identity": True}, typical=True),
    layers.StandardizedConv2D: Case((6, 7, 3), {"filters": 4, "kernel_size": 3}),
    layers.StochasticDepth: Case((4, 3), {"rate": 0.5}, random=True),
    layers.WeightNormalization: Case((6,), _around_dense),
    layers.ASPP: Case(
        (7, 6, 4), {"filters": 16, "dilation_rates": (2, 3)}, random=True
    ),
    layers.BlurPool: Case((7, 6, 4), typical=True),
    layers.FilterResponseNormalization: Case((4, 5, 6), {"learned_epsilon": True}),
    layers.GEGLU: Case((5, 6), {"units": 7}),
    layers.GlobalResponseNormalization: Case((4, 5, 6)),
    layers.RotaryEmbedding: Case((5, 2, 6)),
    layers.SPP: Case((7, 6, 4), {"pooling": "average"}),
    layers.SwiGLU: Case((5, 6)),
    layers.ThresholdedLinearUnit: Case((4, 5, 6)),
}

WITHOUT_CASE = {
    layers.GatedFeedForward: "the family of dense layers with gates",
    layers.DropBlock: "the family of the two",
    layers.Dropping: "the family of layers that drop",
    layers.FeatureAttention: "the family of layers that weigh what an image holds",
    layers.Pooling: "the family of layers that pool all places",
}


def public():
    """Layers that `perfkit.layers` offers."""
    return {
        member
        for name, member in inspect.getmembers(layers, inspect.isclass)
        if not name.startswith("_")
    }
