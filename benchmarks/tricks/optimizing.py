"""Optimizers, each with the rate that suited it best, and what goes around Adam."""

import keras

from benchmarks.tricks.setting import BATCH, RATES, Training, Trick, family
from perfkit import callbacks, optimizers


def _optimizer(name, grid, paper, said="its defaults"):
    def build(setting):
        optimizer = getattr(optimizers, name)(setting.rate)
        return Training(setting.network(), optimizer)

    return Trick(name, build, [f"optimizers.{name}"], said, grid, paper=paper)


def _averaged(setting, optimizer, **arguments):
    swap = callbacks.SwapWeights(**arguments)
    return Training(setting.network(), optimizer, callbacks=[swap])


def _schedule_free(name, grid):
    def build(setting):
        optimizer = getattr(optimizers, name)(
            setting.rate, warmup_steps=setting.share(0.1)
        )
        batches = [
            setting.images[k : k + BATCH]
            for k in range(0, len(setting.images), BATCH)[:20]
        ]
        return _averaged(setting, optimizer, recalibrate=batches)

    said = "warm-up of 10 % of the steps; statistics of 20 batches"
    return Trick(name, build, [f"optimizers.{name}"], said, grid, paper="2405.15682")


def _around(name, said, paper, *, called=None, base="baseline", **arguments):
    def build(setting):
        optimizer = getattr(optimizers, name)(setting.adam(), **arguments)
        return Training(setting.network(), optimizer)

    covers = () if called else [f"optimizers.{name}"]
    return Trick(called or name, build, covers, said, paper=paper, base=base)


def _ema(setting):
    return _averaged(setting, optimizers.WeightAverage(setting.adam()))


def _swa(setting):
    optimizer = optimizers.WeightAverage(
        setting.adam(),
        1.0,
        warm_up=1.0,
        start=setting.share(0.75),
        every=setting.epoch_steps,
    )
    return _averaged(setting, optimizer)


def _adamw(setting):
    optimizer = keras.optimizers.AdamW(setting.rate, weight_decay=0.1)
    return Training(setting.network(), optimizer)


def _no_decay(setting):
    inner = keras.optimizers.AdamW(setting.rate, weight_decay=0.1)
    return Training(setting.network(), optimizers.NoDecay(inner))


TRICKS = family(
    "optimizers",
    [
        _optimizer("AdaBelief", RATES, "2010.07468"),
        _optimizer("Adan", (3e-4, 1e-3, 3e-3, 1e-2), "2208.06677"),
        _optimizer("LAMB", (1e-3, 3e-3, 1e-2, 3e-2), "1904.00962"),
        _optimizer("LARS", (0.3, 1.0, 3.0, 10.0), "1708.03888"),
        _optimizer("Prodigy", (0.3, 1.0), "2306.06101"),
        _optimizer("RAdam", RATES, "1908.03265"),
        _optimizer("SOAP", RATES, "2409.11321"),
        _schedule_free("ScheduleFreeAdamW", (1e-3, 3e-3, 1e-2)),
        _schedule_free("ScheduleFreeRAdam", (1e-3, 3e-3, 1e-2)),
        _schedule_free("ScheduleFreeSGD", (0.3, 1.0, 3.0)),
    ],
) + family(
    "around Adam",
    [
        _around("SharpnessAware", "rho 0.05", "2010.01412"),
        _around(
            "SharpnessAware",
            "rho 0.5",
            "2102.11600",
            called="SharpnessAware, adaptive",
            rho=0.5,
            adaptive=True,
        ),
        _around(
            "SharpnessAware",
            "rho 0.05, in one step of 5",
            "2010.01412",
            called="SharpnessAware, every 5",
            every=5,
        ),
        _around("Lookahead", "every 6 steps, step size 0.5", "1907.08610"),
        Trick(
            "WeightAverage, EMA",
            _ema,
            ["optimizers.WeightAverage"],
            "decay 0.999 with a warm-up",
            paper="Polyak and Juditsky, 1992",
        ),
        Trick(
            "WeightAverage, SWA",
            _swa,
            set="an average of the ends of the last quarter of the epochs",
            paper="1803.05407",
        ),
        _around("AdaptiveGradientClipping", "clipping 0.01", "2102.06171"),
        _around("GradientCentralization", "", "2004.01461"),
        _around("GradientNoise", "eta 0.01", "1511.06807"),
        _around("Accumulate", "4 batches a step", "", micro_steps=4),
        _around(
            "LayerwiseRates", "0.8 from layer to layer", "1801.06146", by_depth=0.8
        ),
        Trick("AdamW", _adamw, set="Keras's, weight decay 0.1", paper="1711.05101"),
        Trick(
            "AdamW, NoDecay",
            _no_decay,
            ["optimizers.NoDecay"],
            "weight decay 0.1, not of biases and normalization",
            base="AdamW",
        ),
    ],
)
