"""A pretrained backbone made into a good model for a new task."""

from perfkit.transfer.attention_distillation import (
    AttentionDistillation as AttentionDistillation,
)
from perfkit.transfer.average_teacher import AverageTeacher as AverageTeacher
from perfkit.transfer.distill import distill as distill
from perfkit.transfer.distilled import Distilled as Distilled
from perfkit.transfer.distilled import DistilledRun as DistilledRun
from perfkit.transfer.distiller import Distiller as Distiller
from perfkit.transfer.ema_teacher import EMATeacher as EMATeacher
from perfkit.transfer.feature_distillation import (
    FeatureDistillation as FeatureDistillation,
)
from perfkit.transfer.layer_distillation import LayerDistillation as LayerDistillation
from perfkit.transfer.mutual_learning import MutualLearning as MutualLearning
from perfkit.transfer.relational_distillation import (
    RelationalDistillation as RelationalDistillation,
)
from perfkit.transfer.soft_targets import SoftTargets as SoftTargets
