"""Optimizers, and what goes around them, that Keras lacks or gets wrong."""

from perfkit import _names
from perfkit._train_step import attach as attach
from perfkit._train_step import find as find
from perfkit.optimizers.accumulate import Accumulate as Accumulate
from perfkit.optimizers.ada_belief import AdaBelief as AdaBelief
from perfkit.optimizers.adan import Adan as Adan
from perfkit.optimizers.adaptive_gradient_clipping import (
    AdaptiveGradientClipping as AdaptiveGradientClipping,
)
from perfkit.optimizers.averaging import Averaging as Averaging
from perfkit.optimizers.gradient_centralization import (
    GradientCentralization as GradientCentralization,
)
from perfkit.optimizers.gradient_noise import GradientNoise as GradientNoise
from perfkit.optimizers.gradient_transform import GradientTransform as GradientTransform
from perfkit.optimizers.lamb import LAMB as LAMB
from perfkit.optimizers.lars import LARS as LARS
from perfkit.optimizers.layerwise_rates import LayerwiseRates as LayerwiseRates
from perfkit.optimizers.lookahead import Lookahead as Lookahead
from perfkit.optimizers.no_decay import NoDecay as NoDecay
from perfkit.optimizers.prodigy import Prodigy as Prodigy
from perfkit.optimizers.radam import RAdam as RAdam
from perfkit.optimizers.schedule_free_adamw import (
    ScheduleFreeAdamW as ScheduleFreeAdamW,
)
from perfkit.optimizers.schedule_free_radam import (
    ScheduleFreeRAdam as ScheduleFreeRAdam,
)
from perfkit.optimizers.schedule_free_sgd import ScheduleFreeSGD as ScheduleFreeSGD
from perfkit.optimizers.sharpness_aware import SharpnessAware as SharpnessAware
from perfkit.optimizers.soap import SOAP as SOAP
from perfkit.optimizers.weight_average import WeightAverage as WeightAverage
from perfkit.optimizers.with_statistics import WithStatistics as WithStatistics
from perfkit.optimizers.wrapper import Wrapper as Wrapper


def __dir__():
    return _names.public(globals())
