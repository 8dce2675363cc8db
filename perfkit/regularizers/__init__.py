"""Penalties and constraints on a model's weights, and putting them on a built model."""

from perfkit import _names
from perfkit.regularizers.attach import attach as attach
from perfkit.regularizers.attach_drop_path import attach_drop_path as attach_drop_path
from perfkit.regularizers.attach_dropout import attach_dropout as attach_dropout
from perfkit.regularizers.attached import Attached as Attached
from perfkit.regularizers.by_depth import by_depth as by_depth
from perfkit.regularizers.constrain import constrain as constrain
from perfkit.regularizers.detach import detach as detach
from perfkit.regularizers.group_lasso import group_lasso as group_lasso
from perfkit.regularizers.inserted import Inserted as Inserted
from perfkit.regularizers.l1_l2 import l1 as l1
from perfkit.regularizers.l1_l2 import l1_l2 as l1_l2
from perfkit.regularizers.l1_l2 import l2 as l2
from perfkit.regularizers.max_norm import max_norm as max_norm
from perfkit.regularizers.orthogonal import orthogonal as orthogonal
from perfkit.regularizers.spectral import spectral as spectral
from perfkit.regularizers.unit_norm import unit_norm as unit_norm


def __dir__():
    return _names.public(globals())
