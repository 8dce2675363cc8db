"""A pretrained backbone made into a good model for a new task."""

from perfkit import _names
from perfkit.transfer.adapters.adapt import adapt as adapt
from perfkit.transfer.adapters.adapted import Adapted as Adapted
from perfkit.transfer.adapters.adapter import Adapter as Adapter
from perfkit.transfer.adapters.bit_fit import bit_fit as bit_fit
from perfkit.transfer.adapters.dora import DoRA as DoRA
from perfkit.transfer.adapters.insert_adapters import insert_adapters as insert_adapters
from perfkit.transfer.adapters.load_adapter import load_adapter as load_adapter
from perfkit.transfer.adapters.lora import LoRA as LoRA
from perfkit.transfer.adapters.merge import merge as merge
from perfkit.transfer.adapters.save_adapter import save_adapter as save_adapter
from perfkit.transfer.adapters.unload import unload as unload
from perfkit.transfer.average_weights import average_weights as average_weights
from perfkit.transfer.classifier import classifier as classifier
from perfkit.transfer.discriminative_rates import (
    discriminative_rates as discriminative_rates,
)
from perfkit.transfer.distillation.attention_distillation import (
    AttentionDistillation as AttentionDistillation,
)
from perfkit.transfer.distillation.average_teacher import (
    AverageTeacher as AverageTeacher,
)
from perfkit.transfer.distillation.distill import distill as distill
from perfkit.transfer.distillation.distilled import Distilled as Distilled
from perfkit.transfer.distillation.distilled import DistilledRun as DistilledRun
from perfkit.transfer.distillation.distiller import Distiller as Distiller
from perfkit.transfer.distillation.ema_teacher import EMATeacher as EMATeacher
from perfkit.transfer.distillation.feature_distillation import (
    FeatureDistillation as FeatureDistillation,
)
from perfkit.transfer.distillation.layer_distillation import (
    LayerDistillation as LayerDistillation,
)
from perfkit.transfer.distillation.mutual_learning import (
    MutualLearning as MutualLearning,
)
from perfkit.transfer.distillation.relational_distillation import (
    RelationalDistillation as RelationalDistillation,
)
from perfkit.transfer.distillation.soft_targets import SoftTargets as SoftTargets
from perfkit.transfer.features.cache_features import cache_features as cache_features
from perfkit.transfer.features.cached_features import CachedFeatures as CachedFeatures
from perfkit.transfer.features.split_model import split_model as split_model
from perfkit.transfer.freeze import Frozen as Frozen
from perfkit.transfer.freeze import freeze as freeze
from perfkit.transfer.freeze import unfreeze as unfreeze
from perfkit.transfer.gradual_unfreeze import GradualUnfreeze as GradualUnfreeze
from perfkit.transfer.greedy_soup import greedy_soup as greedy_soup
from perfkit.transfer.heads import HEADS as HEADS
from perfkit.transfer.heads import Head as Head
from perfkit.transfer.heads import cosine_head as cosine_head
from perfkit.transfer.heads import linear_head as linear_head
from perfkit.transfer.heads import mlp_head as mlp_head
from perfkit.transfer.heads import multi_sample_head as multi_sample_head
from perfkit.transfer.l2_sp import L2SP as L2SP
from perfkit.transfer.linear_probe import linear_probe as linear_probe
from perfkit.transfer.linear_probe_then_fine_tune import (
    LinearProbeThenFineTune as LinearProbeThenFineTune,
)
from perfkit.transfer.preprocessing import Preprocessing as Preprocessing
from perfkit.transfer.preprocessing import preprocessing_of as preprocessing_of
from perfkit.transfer.ranking.rank_backbones import rank_backbones as rank_backbones
from perfkit.transfer.ranking.ranking import Ranking as Ranking
from perfkit.transfer.recalibrate_batch_norm import (
    recalibrate_batch_norm as recalibrate_batch_norm,
)
from perfkit.transfer.regressor import regressor as regressor
from perfkit.transfer.soup import Soup as Soup
from perfkit.transfer.thawing import Thawing as Thawing
from perfkit.transfer.wise_ft import wise_ft as wise_ft


def __dir__():
    return _names.public(globals())
