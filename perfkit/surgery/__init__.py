"""Tricks of architecture put into models that are already built."""

from perfkit import _names
from perfkit.surgery.blur_pool import blur_pool as blur_pool
from perfkit.surgery.changed import Change as Change
from perfkit.surgery.changed import Changed as Changed
from perfkit.surgery.insert_attention import insert_attention as insert_attention
from perfkit.surgery.stochastic_depth import stochastic_depth as stochastic_depth
from perfkit.surgery.swap_activation import swap_activation as swap_activation
from perfkit.surgery.swap_normalization import swap_normalization as swap_normalization


def __dir__():
    return _names.public(globals())
