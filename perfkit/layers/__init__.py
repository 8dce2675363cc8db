"""Layers that regularize or pool, and heads, that Keras lacks."""

from perfkit import _names
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
from perfkit.layers.similarity_head import SimilarityHead as SimilarityHead
from perfkit.layers.standardized_conv_2d import StandardizedConv2D as StandardizedConv2D
from perfkit.layers.stochastic_depth import StochasticDepth as StochasticDepth
from perfkit.layers.weight_normalization import (
    WeightNormalization as WeightNormalization,
)


def __dir__():
    return _names.public(globals())
