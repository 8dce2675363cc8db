"""Schedules, each with the peak that suited it best."""

import keras

from benchmarks.tricks.setting import RATES, Training, Trick, family
from perfkit import schedules


def _trick(schedule, said, *covers, name=None, paper=""):
    """A row whose schedule is a function of the rate at the top and the setting."""

    def build(setting):
        optimizer = keras.optimizers.Adam(schedule(setting.rate, setting))
        return Training(setting.network(), optimizer)

    covers = [f"schedules.{cover}" for cover in covers]
    name = name or covers[0].partition(".")[2]
    return Trick(name, build, covers, said, grid=RATES, paper=paper)


TRICKS = family(
    "schedules",
    [
        _trick(
            lambda peak, s: keras.optimizers.schedules.CosineDecay(peak, s.steps),
            "Keras's own, to 0",
            name="CosineDecay",
            paper="1608.03983",
        ),
        _trick(
            lambda peak, s: schedules.WarmUp(peak, s.share(0.1)),
            "over a tenth, then constant",
            "WarmUp",
            paper="1706.02677",
        ),
        _trick(
            lambda peak, s: schedules.WarmUp(
                keras.optimizers.schedules.CosineDecay(peak, s.steps - s.share(0.1)),
                s.share(0.1),
            ),
            "WarmUp over a tenth in front of CosineDecay",
            "WarmUp",
            name="WarmUp, CosineDecay",
            paper="1608.03983",
        ),
        _trick(
            lambda peak, s: schedules.OneCycle(peak, s.steps),
            "its defaults, the momentum constant",
            "OneCycle",
            paper="1708.07120",
        ),
        _trick(
            lambda peak, s: schedules.WarmupStableDecay(
                peak, s.steps, warmup_steps=s.share(0.1), decay_steps=s.share(0.2)
            ),
            "up over a tenth, down over a fifth",
            "WarmupStableDecay",
            paper="2404.06395",
        ),
        _trick(
            lambda peak, s: schedules.FlatCosine(peak, s.steps),
            "its defaults",
            "FlatCosine",
        ),
        _trick(
            lambda peak, s: schedules.REX(peak, s.steps),
            "its defaults",
            "REX",
            paper="2107.04197",
        ),
        _trick(
            lambda peak, s: schedules.Exponential(peak, s.steps, end=peak / 100),
            "to a hundredth",
            "Exponential",
        ),
        _trick(
            lambda peak, s: schedules.Step(peak, s.share(1 / 3)),
            "a tenth after each third",
            "Step",
        ),
        _trick(
            lambda peak, s: schedules.CosineRestarts(
                peak, -(-s.steps // 7), growth=2.0
            ),
            "three cycles, each twice as long",
            "CosineRestarts",
            paper="1608.03983",
        ),
        _trick(
            lambda peak, s: schedules.Cyclical(peak / 4, peak, s.share(0.1)),
            "five triangles from a quarter of the peak",
            "Cyclical",
            paper="1506.01186",
        ),
        _trick(
            lambda peak, s: schedules.WarmUp(
                schedules.InverseSqrt(peak, s.share(0.1)), s.share(0.1)
            ),
            "behind a WarmUp over a tenth",
            "InverseSqrt",
            paper="1706.03762",
        ),
        _trick(
            lambda peak, s: schedules.Chain(
                [peak, schedules.REX(peak, s.steps - s.share(0.5))], [s.share(0.5)]
            ),
            "constant for a half, then REX",
            "Chain",
        ),
    ],
)
