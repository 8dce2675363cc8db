"""Penalties, constraints and dropout put on the built network."""

import keras

from benchmarks.tricks.regularizing import RESIDUAL
from benchmarks.tricks.setting import Training, Trick, family
from perfkit import regularizers


def _penalty(name, make, grid, paper="", said=""):
    """A row whose penalty is a function of the strength that was chosen."""

    def build(setting):
        network = setting.network()
        regularizers.attach(network, make(setting.value))
        return Training(network, setting.adam())

    return Trick(name, build, [f"regularizers.{name}"], said, grid, "strength", paper)


def _constraint(name, make, where, said, paper=""):
    def build(setting):
        network = setting.network()
        regularizers.constrain(network, make(), where=where)
        return Training(network, setting.adam())

    covers = [f"regularizers.{name}", "regularizers.constrain"]
    return Trick(name, build, covers, said, paper=paper)


def _dropout(name, rate, where, said, paper):
    def build(setting):
        network, _ = regularizers.attach_dropout(setting.network(), rate, where=where)
        return Training(network, setting.adam())

    covers = ["regularizers.attach_dropout", "regularizers.Inserted"]
    return Trick(name, build, covers, said, paper=paper)


def _drop_path(setting):
    network = setting.network(branch=lambda index: [])
    network, _ = regularizers.attach_drop_path(network, (0.0, 0.2))
    return Training(network, setting.adam())


TRICKS = family(
    "regularizers",
    [
        _penalty(
            "by_depth",
            lambda strength: regularizers.by_depth(0.0, strength),
            (1e-4, 1e-3, 1e-2),
            said="L2 from 0 in the first layer",
        ),
        _penalty(
            "orthogonal", regularizers.orthogonal, (1e-4, 1e-3, 1e-2), "1810.09102"
        ),
        _penalty("spectral", regularizers.spectral, (1e-3, 1e-2, 1e-1), "1705.10941"),
        _penalty(
            "group_lasso", regularizers.group_lasso, (1e-6, 1e-5, 1e-4), "1608.03665"
        ),
        _constraint("max_norm", regularizers.max_norm, None, "at most 2"),
        _constraint(
            "unit_norm",
            regularizers.unit_norm,
            keras.layers.Conv2D,
            "of the convolutions",
        ),
        _dropout("Dropout", 0.5, "hidden", "0.5 behind the hidden Dense", "1207.0580"),
        _dropout(
            "SpatialDropout2D",
            0.1,
            keras.layers.Conv2D,
            "0.1 behind each convolution",
            "1411.4280",
        ),
        Trick(
            "attach_drop_path",
            _drop_path,
            ["regularizers.attach_drop_path"],
            "rates 0, 0.1, 0.2",
            paper="1603.09382",
            base=RESIDUAL,
        ),
    ],
)
