"""Layers that join modalities, and a model made of encoders and one of these."""

from perfkit import _names
from perfkit.fusion.ogm_ge import OGMGE as OGMGE
from perfkit.fusion.pc_grad import PCGrad as PCGrad
from perfkit.fusion.uncertainty_weighting import (
    UncertaintyWeighting as UncertaintyWeighting,
)


def __dir__():
    return _names.public(globals())
