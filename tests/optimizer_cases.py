"""One row for each public optimizer: how to make it, and what holds for it."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras

from perfkit import optimizers


@dataclasses.dataclass(frozen=True)
class Case:
    """What the conformance suite knows of an optimizer.

    Attributes:
        make: Function of a learning rate and of options that Keras's optimizers have,
            such as `clipnorm`. Of a wrapper, they go to the inner optimizer.
        rate: A learning rate with which it goes some way in a few steps.
        decays: Whether it takes `weight_decay` and `no_decay` itself.
        accumulates: Whether two halves of a batch are like the whole one.
        half: Whether it works where layers compute in float16.
        distributed: Whether two replicas are like one device.
        silent: In how many steps at first the weights stay as they are.
        clips: Whether it leaves the clipping of gradients to Keras.
        alone: Whether it can be applied without a model.
        steady: Whether every call of `apply` is a step.
        branches: Whether it has branches, which JAX compiles anew outside of a step.
        typical: Whether checks that take seconds run by default; otherwise they do so
            with `-m slow`. True for one of those that share their plumbing.
    """

    make: Callable[..., Any]
    rate: float = 0.01
    decays: bool = True
    accumulates: bool = True
    half: bool = True
    distributed: bool = True
    silent: int = 0
    clips: bool = True
    alone: bool = True
    steady: bool = True
    branches: bool = False
    typical: bool = False


def around(kind, inner=keras.optimizers.Adam, **arguments):
    """Return a function that makes a wrapper around one of Keras's optimizers."""

    def make(rate, **options):
        return kind(inner(rate, **options), **arguments)

    return make


def wrapper(kind, *, inner=keras.optimizers.Adam, arguments=None, **properties):
    """Return the row of a wrapper."""
    made = around(kind, inner, **(arguments or {}))
    return Case(made, **{"decays": False, **properties})


o = optimizers
CASES = {
    o.AdaBelief: Case(o.AdaBelief),
    o.Adan: Case(o.Adan),
    o.LAMB: Case(o.LAMB, typical=True),
    o.LARS: Case(o.LARS, rate=5.0),
    o.Prodigy: Case(functools.partial(o.Prodigy, initial_distance=1e-2), rate=1.0),
    o.RAdam: Case(o.RAdam),
    o.SOAP: Case(
        # A side that is longer than the other has an arbitrary basis for the rest,
        # and rounding counts where `epsilon` is small.
        functools.partial(o.SOAP, precondition_frequency=2, max_size=3, epsilon=0.01),
        silent=1,
        branches=True,
    ),
    o.ScheduleFreeAdamW: Case(o.ScheduleFreeAdamW, typical=True),
    o.ScheduleFreeRAdam: Case(o.ScheduleFreeRAdam, silent=4),
    o.ScheduleFreeSGD: Case(o.ScheduleFreeSGD, rate=0.05),
    o.Accumulate: wrapper(
        o.Accumulate,
        arguments={"micro_steps": 2},
        accumulates=False,
        clips=False,
        steady=False,
    ),
    o.AdaptiveGradientClipping: wrapper(
        o.AdaptiveGradientClipping, accumulates=False, clips=False
    ),
    o.GradientCentralization: wrapper(o.GradientCentralization, clips=False),
    o.GradientNoise: wrapper(o.GradientNoise, accumulates=False, clips=False),
    o.LayerwiseRates: wrapper(o.LayerwiseRates, arguments={"rates": {"kernel": 0.5}}),
    o.Lookahead: wrapper(o.Lookahead, arguments={"every": 2}),
    o.NoDecay: wrapper(o.NoDecay, inner=keras.optimizers.AdamW),
    o.SharpnessAware: wrapper(
        o.SharpnessAware,
        inner=keras.optimizers.SGD,
        accumulates=False,
        half=False,
        alone=False,
    ),
    o.WeightAverage: wrapper(o.WeightAverage, arguments={"decay": 0.9}, typical=True),
}
# What the family has beside optimizers, and what is only a part of them.
NOT_OPTIMIZERS = {o.Averaging, o.GradientTransform, o.WithStatistics, o.Wrapper}
