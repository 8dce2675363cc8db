"""How weights are called in reports."""

import itertools

from perfkit.compress.reparameterized import Reparameterized


def path_of(trail, weight) -> str:
    """Return the names from the model down to a weight, joined with a slash.

    A layer that computes with a function of its kernel and the layer in it are one.
    """
    pairs = itertools.pairwise(trail)
    names = [x.name for outer, x in pairs if not isinstance(outer, Reparameterized)]
    return "/".join([*names, weight.name])
