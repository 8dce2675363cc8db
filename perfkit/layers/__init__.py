"""Layers that regularize, attend or pool, and heads, that Keras lacks."""

from perfkit import _names
from perfkit.layers.attention.attention_pool_2d import (
    AttentionPool2D as AttentionPool2D,
)
from perfkit.layers.attention.cbam import CBAM as CBAM
from perfkit.layers.attention.coordinate_attention import (
    CoordinateAttention as CoordinateAttention,
)
from perfkit.layers.attention.efficient_channel_attention import (
    EfficientChannelAttention as EfficientChannelAttention,
)
from perfkit.layers.attention.feature_attention import (
    FeatureAttention as FeatureAttention,
)
from perfkit.layers.attention.global_context import GlobalContext as GlobalContext
from perfkit.layers.attention.non_local_2d import NonLocal2D as NonLocal2D
from perfkit.layers.attention.selective_kernel import SelectiveKernel as SelectiveKernel
from perfkit.layers.attention.sim_am import SimAM as SimAM
from perfkit.layers.attention.squeeze_excite import SqueezeExcite as SqueezeExcite
from perfkit.layers.attention_pool import AttentionPool as AttentionPool
from perfkit.layers.concat_pool import ConcatPool as ConcatPool
from perfkit.layers.cosine_dense import CosineDense as CosineDense
from perfkit.layers.drop_block import DropBlock as DropBlock
from perfkit.layers.drop_block_1d import DropBlock1D as DropBlock1D
from perfkit.layers.drop_block_2d import DropBlock2D as DropBlock2D
from perfkit.layers.drop_path import DropPath as DropPath
from perfkit.layers.dropping import Dropping as Dropping
from perfkit.layers.gem import GeM as GeM
from perfkit.layers.ghost_batch_normalization import (
    GhostBatchNormalization as GhostBatchNormalization,
)
from perfkit.layers.global_max_pool import GlobalMaxPool as GlobalMaxPool
from perfkit.layers.layer_scale import LayerScale as LayerScale
from perfkit.layers.multi_sample_dropout import (
    MultiSampleDropout as MultiSampleDropout,
)
from perfkit.layers.pooling import Pooling as Pooling
from perfkit.layers.scaled_gaussian_noise import (
    ScaledGaussianNoise as ScaledGaussianNoise,
)
from perfkit.layers.standardized_conv_2d import StandardizedConv2D as StandardizedConv2D
from perfkit.layers.stochastic_depth import StochasticDepth as StochasticDepth
from perfkit.layers.weight_normalization import (
    WeightNormalization as WeightNormalization,
)


def __dir__():
    return _names.public(globals())
