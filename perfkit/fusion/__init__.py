"""Layers that join modalities, and a model made of encoders and one of these."""

from perfkit import _names
from perfkit.fusion.attention_bottleneck import (
    AttentionBottleneck as AttentionBottleneck,
)
from perfkit.fusion.attention_fusion import AttentionFusion as AttentionFusion
from perfkit.fusion.complete import complete as complete
from perfkit.fusion.concat import Concat as Concat
from perfkit.fusion.cross_attention import CrossAttention as CrossAttention
from perfkit.fusion.fill_absent import FillAbsent as FillAbsent
from perfkit.fusion.film import FiLM as FiLM
from perfkit.fusion.fusion import Fusion as Fusion
from perfkit.fusion.gated_multimodal_unit import (
    GatedMultimodalUnit as GatedMultimodalUnit,
)
from perfkit.fusion.hypercolumn import Hypercolumn as Hypercolumn
from perfkit.fusion.low_rank_bilinear import LowRankBilinear as LowRankBilinear
from perfkit.fusion.low_rank_fusion import LowRankFusion as LowRankFusion
from perfkit.fusion.mean import Mean as Mean
from perfkit.fusion.mmtm import MMTM as MMTM
from perfkit.fusion.modality_dropout import ModalityDropout as ModalityDropout
from perfkit.fusion.multimodal import multimodal as multimodal
from perfkit.fusion.ogm_ge import OGMGE as OGMGE
from perfkit.fusion.pc_grad import PCGrad as PCGrad
from perfkit.fusion.projecting import Projecting as Projecting
from perfkit.fusion.sum import Sum as Sum
from perfkit.fusion.tensor_fusion import TensorFusion as TensorFusion
from perfkit.fusion.uncertainty_weighting import (
    UncertaintyWeighting as UncertaintyWeighting,
)
from perfkit.fusion.weighted_pyramid import WeightedPyramid as WeightedPyramid


def __dir__():
    return _names.public(globals())
