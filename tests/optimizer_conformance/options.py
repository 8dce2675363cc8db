"""The arguments that all of Keras's optimizers have, and `no_decay`."""

import keras
import numpy as np

from tests.optimizer_conformance.common import (
    close,
    fresh_variables,
    same,
    some_gradients,
    stepped,
)


def check_halves_of_a_batch_are_like_the_whole(case):
    halves = some_gradients(6)
    whole = [
        [(x + y) / 2 for x, y in zip(first, second, strict=True)]
        for first, second in zip(halves[::2], halves[1::2], strict=True)
    ]
    ours = stepped(case, case.make(case.rate, gradient_accumulation_steps=2), halves)
    assert close(ours, stepped(case, case.make(case.rate), whole))


check_halves_of_a_batch_are_like_the_whole.applies = lambda case: case.accumulates


def _clipped(gradients, name, most):
    if name == "clipvalue":
        return [np.clip(g, -most, most) for g in gradients]
    norms = [np.linalg.norm(g) for g in gradients]
    if name == "global_clipnorm":
        norms = [np.linalg.norm(norms)] * len(norms)
    pairs = zip(gradients, norms, strict=True)
    return [g * min(1.0, most / norm) for g, norm in pairs]


def _clips(case, name):
    gradients = some_gradients(3)
    gradients[0] = [0.1 * g for g in gradients[0]]  # so that the others are large
    clipped = [_clipped(step, name, 0.5) for step in gradients]
    ours = stepped(case, case.make(case.rate, **{name: 0.5}), gradients)
    assert close(ours, stepped(case, case.make(case.rate), clipped))
    assert not close(ours, stepped(case, case.make(case.rate), gradients))


def check_clipnorm_clips(case):
    _clips(case, "clipnorm")


check_clipnorm_clips.applies = lambda case: case.clips and case.alone


def check_clipvalue_clips(case):
    _clips(case, "clipvalue")


check_clipvalue_clips.applies = lambda case: case.clips and case.alone


def check_global_clipnorm_clips(case):
    _clips(case, "global_clipnorm")


check_global_clipnorm_clips.applies = lambda case: case.clips and case.alone


def check_follows_a_schedule(case):
    def halve(number, optimizer):
        optimizer.learning_rate = case.rate if number < 2 else 0.1 * case.rate

    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [1 + case.silent], [case.rate, 0.1 * case.rate]
    )
    gradients = some_gradients(4)
    ours = stepped(case, case.make(schedule), gradients)
    assert close(ours, stepped(case, case.make(case.rate), gradients, halve))
    assert not close(ours, stepped(case, case.make(case.rate), gradients))


check_follows_a_schedule.applies = lambda case: case.alone and case.steady


def _decays(case, no_decay, spared):
    gradients = some_gradients(2)
    arguments = {"weight_decay": 0.3, "no_decay": no_decay}
    optimizer = case.make(case.rate, **arguments)
    ours = stepped(case, optimizer, gradients)
    none = stepped(case, case.make(case.rate, weight_decay=None), gradients)
    names = [variable.name for variable in fresh_variables()]
    for name, new, old in zip(names, ours, none, strict=True):
        assert np.array_equal(new, old) == (name in spared)
    restored = type(optimizer).from_config(optimizer.get_config())
    assert same(stepped(case, restored, gradients), ours)


def check_no_decay_spares_what_it_says(case):
    _decays(case, False, {})
    _decays(case, True, {"bias"})
    _decays(case, ["ker*"], {"kernel"})


check_no_decay_spares_what_it_says.applies = lambda case: case.decays
