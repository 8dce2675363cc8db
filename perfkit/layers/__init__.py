"""Layers that regularize, attend or pool, and heads, that Keras lacks."""

from perfkit import _names
from perfkit.layers.aspp import ASPP as ASPP
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
from perfkit.layers.blur_pool import BlurPool as BlurPool
from perfkit.layers.concat_pool import ConcatPool as ConcatPool
from perfkit.layers.cosine_dense import CosineDense as CosineDense
from perfkit.layers.drop_block import DropBlock as DropBlock
from perfkit.layers.drop_block_1d import DropBlock1D as DropBlock1D
from perfkit.layers.drop_block_2d import DropBlock2D as DropBlock2D
from perfkit.layers.drop_path import DropPath as DropPath
from perfkit.layers.dropping import Dropping as Dropping
from perfkit.layers.filter_response_normalization import (
    FilterResponseNormalization as FilterResponseNormalization,
)
from perfkit.layers.gated_feed_forward import GatedFeedForward as GatedFeedForward
from perfkit.layers.geglu import GEGLU as GEGLU
from perfkit.layers.gem import GeM as GeM
from perfkit.layers.ghost_batch_normalization import (
    GhostBatchNormalization as GhostBatchNormalization,
)
from perfkit.layers.global_max_pool import GlobalMaxPool as GlobalMaxPool
from perfkit.layers.global_response_normalization import (
    GlobalResponseNormalization as GlobalResponseNormalization,
)
from perfkit.layers.layer_scale import LayerScale as LayerScale
from perfkit.layers.multi_sample_dropout import (
    MultiSampleDropout as MultiSampleDropout,
)
from perfkit.layers.pooling import Pooling as Pooling
from perfkit.layers.rotary_embedding import RotaryEmbedding as RotaryEmbedding
from perfkit.layers.scaled_gaussian_noise import (
    ScaledGaussianNoise as ScaledGaussianNoise,
)
from perfkit.layers.spp import SPP as SPP
from perfkit.layers.standardized_conv_2d import StandardizedConv2D as StandardizedConv2D
from perfkit.layers.stochastic_depth import StochasticDepth as StochasticDepth
from perfkit.layers.swi_glu import SwiGLU as SwiGLU
from perfkit.layers.thresholded_linear_unit import (
    ThresholdedLinearUnit as ThresholdedLinearUnit,
)
from perfkit.layers.weight_normalization import (
    WeightNormalization as WeightNormalization,
)


def __dir__():
    return _names.public(globals())
