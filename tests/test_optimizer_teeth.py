"""The suite is itself tested: each broken optimizer must fail the check it is for."""

import dataclasses

import keras
import pytest

from perfkit import _backend, optimizers
from perfkit._backend import ops
from tests.optimizer_cases import Case
from tests.optimizer_conformance import CHECKS

BROKEN = {}


def breaks(*checks, **about):
    """Name the checks that must reject the optimizer."""

    def note(broken):
        keras.saving.register_keras_serializable(package=broken.__module__)(broken)
        for check in checks:
            BROKEN[check] = Case(broken, **about)
        return broken

    return note


class Plain(optimizers.RAdam):
    """One that is right, to be broken."""


class Slots(Plain):
    """One with a slot more, and all of them in `step`."""

    slots = ("mean", "square", "more")

    def step(self, gradient, weights, slots, now):
        more = slots.pop("more")
        weights, kept = super().step(gradient, weights, slots, now)
        return weights, {**kept, "more": more}


@breaks("config_covers_the_signature")
class ForgetsAnArgument(Plain):
    def get_config(self):
        config = super().get_config()
        del config["beta_2"]
        return config


@breaks("round_trips")
class ForgetsClipping(Plain):
    def get_config(self):
        return {**super().get_config(), "clipnorm": None}


@breaks(
    "resumes_bit_for_bit",
    "resumes_bit_for_bit_when_compiled",
    "resumes_between_accumulated_batches",
)
class ForgetsItsState(Plain):
    def load_own_variables(self, store):
        pass


@breaks("goes_downhill")
class ClimbsUp(Plain):
    def step(self, gradient, weights, slots, now):
        return super().step(-gradient, weights, slots, now)


@breaks("compiled_and_uncompiled_agree", "graph_and_compiled_agree")
class CountsCalls(Plain):
    """What it counts in Python is counted once in a program."""

    calls = 0

    def step(self, gradient, weights, slots, now):
        type(self).calls += 1
        weights, slots = super().step(gradient, weights, slots, now)
        return weights + 1e-3 * type(self).calls, slots


@breaks("first_step_is_small")
class BeginsAtZero(Slots):
    """As Keras's schedule-free optimizer, where `fit` builds it."""

    def step(self, gradient, weights, slots, now):
        moved, kept = super().step(gradient, 0.0 * weights + slots["more"], slots, now)
        return moved, {**kept, "more": moved}


@breaks("callbacks_may_set_the_learning_rate", "follows_a_schedule")
class FixesItsRate(Plain):
    def step(self, gradient, weights, slots, now):
        now = dataclasses.replace(now, rate=0.01)
        return super().step(gradient, weights, slots, now)


@breaks("trains_in_half_precision")
class ComputesInHalf(Plain):
    def step(self, gradient, weights, slots, now):
        if keras.config.dtype_policy().name == "mixed_float16":
            gradient = ops.cast(ops.cast(1e5 * gradient, "float16"), "float32") / 1e5
            gradient = ops.where(ops.isfinite(gradient), gradient, 1e3)
        return super().step(gradient, weights, slots, now)


@breaks("halves_of_a_batch_are_like_the_whole")
class CountsBatches(Plain):
    @property
    def iterations(self):
        return self._iterations


@breaks("clipnorm_clips", "clipvalue_clips", "global_clipnorm_clips")
class IgnoresClipping(Plain):
    def __init__(
        self, *args, clipnorm=None, clipvalue=None, global_clipnorm=None, **kw
    ):
        super().__init__(*args, **kw)


@breaks("no_decay_spares_what_it_says")
class DecaysAll(Plain):
    def step(self, gradient, weights, slots, now):
        now = dataclasses.replace(now, decay=self.weight_decay or 0.0)
        return super().step(gradient, weights, slots, now)


def name(check):
    return check.__name__.removeprefix("check_")


def row(check):
    slow = [pytest.mark.slow] if getattr(check, "compiled", False) else []
    return pytest.param(check, id=name(check), marks=slow)


@pytest.mark.parametrize("check", [row(check) for check in CHECKS])
def test_every_check_rejects_a_broken_optimizer(check):
    case = BROKEN[name(check)]
    assert getattr(check, "applies", lambda case: True)(case)
    with pytest.raises((AssertionError, UserWarning)):
        check(case)


def test_no_broken_optimizer_is_left_over():
    assert set(BROKEN) == set(map(name, CHECKS))


def test_the_door_to_the_number_of_a_variable_is_there():
    variables = [keras.Variable([1.0]), keras.Variable([2.0])]
    optimizer = Plain()
    optimizer.build(variables)
    assert [_backend.index_of(optimizer, v) for v in variables] == [0, 1]
