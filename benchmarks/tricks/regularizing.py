"""Baselines, penalties and layers."""

from benchmarks.tricks import setting as settings
from benchmarks.tricks.setting import RATES, Training, Trick, family
from perfkit import layers, regularizers


def _network(**changes):
    """What makes the network with these changes, trained as the baseline is."""
    return lambda setting: Training(setting.network(**changes), setting.adam())


def _penalty(name, make, covers, said="", grid=(), paper=""):
    """A row whose penalty is a function of the strength that was chosen."""

    def build(setting):
        network = setting.network()
        regularizers.attach(network, make(setting.value))
        return Training(network, setting.adam())

    covers = [f"regularizers.{cover}" for cover in ("attach", "Attached", *covers)]
    return Trick(name, build, covers, said, grid, "strength", paper)


def _growing(rate, index):
    """The deeper of the three, the more."""
    return rate * (index + 1) / 3


def _drop_block(index):
    return [layers.DropBlock2D(_growing(0.1, index), block_size=3)] if index else []


def _residual(name, branch, said, paper):
    build = _network(branch=branch)
    return Trick(name, build, [f"layers.{name}"], said, paper=paper, base=RESIDUAL)


RESIDUAL = "baseline, residual"
GROUPS = "baseline, group normalization"

BASELINES = family(
    "baselines",
    [
        Trick("baseline", _network(), set="constant rate", grid=RATES, base=""),
        Trick(
            RESIDUAL,
            _network(branch=lambda index: []),
            set="a residual block of one convolution behind each convolution",
            grid=RATES,
            base="",
        ),
        Trick(
            GROUPS,
            _network(norm=settings.group_normalization),
            set="8 groups in place of batch normalization",
            grid=RATES,
            base="",
        ),
    ],
)

PENALTIES = family(
    "regularizers",
    [
        _penalty("L1", regularizers.l1, ["l1"], grid=(1e-6, 1e-5, 1e-4)),
        _penalty("L2", regularizers.l2, ["l2"], grid=(1e-4, 1e-3, 1e-2)),
        _penalty(
            "L1L2",
            lambda _: regularizers.l1_l2(1e-6, 1e-4),
            ["l1_l2"],
            "l1=1e-6, l2=1e-4, those of the quickstart",
        ),
    ],
)

LAYERS = family(
    "layers",
    [
        Trick(
            "DropBlock2D",
            _network(behind=_drop_block),
            ["layers.DropBlock2D"],
            "behind the last two, 3 x 3, rates 0.067 and 0.1",
            paper="1810.12890",
        ),
        Trick(
            "GhostBatchNormalization",
            _network(
                norm=lambda **named: layers.GhostBatchNormalization(
                    16, momentum=0.9, **named
                )
            ),
            ["layers.GhostBatchNormalization"],
            "four parts of 16",
            paper="1705.08741",
        ),
        Trick(
            "StandardizedConv2D",
            _network(
                convolution=layers.StandardizedConv2D,
                norm=settings.group_normalization,
            ),
            ["layers.StandardizedConv2D"],
            paper="1903.10520",
            base=GROUPS,
        ),
        _residual(
            "DropPath",
            lambda index: [layers.DropPath(_growing(0.2, index))],
            "rates 0.067, 0.133, 0.2",
            "1605.07648",
        ),
        _residual(
            "StochasticDepth",
            lambda index: [layers.StochasticDepth(_growing(0.2, index))],
            "rates 0.067, 0.133, 0.2",
            "1603.09382",
        ),
        _residual(
            "LayerScale",
            lambda index: [layers.LayerScale(0.1)],
            "from 0.1",
            "2103.17239",
        ),
    ],
)

TRICKS = [*BASELINES, *PENALTIES, *LAYERS]
