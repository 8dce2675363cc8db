"""Learning-rate schedules, and ways to chain them."""

from perfkit import _names
from perfkit.schedules.chain import Chain as Chain
from perfkit.schedules.cosine_restarts import CosineRestarts as CosineRestarts
from perfkit.schedules.cyclical import Cyclical as Cyclical
from perfkit.schedules.exponential import Exponential as Exponential
from perfkit.schedules.flat_cosine import FlatCosine as FlatCosine
from perfkit.schedules.inverse_sqrt import InverseSqrt as InverseSqrt
from perfkit.schedules.one_cycle import OneCycle as OneCycle
from perfkit.schedules.plot import plot as plot
from perfkit.schedules.rex import REX as REX
from perfkit.schedules.step import Step as Step
from perfkit.schedules.warm_up import WarmUp as WarmUp
from perfkit.schedules.warmup_stable_decay import WarmupStableDecay as WarmupStableDecay


def __dir__():
    return _names.public(globals())
