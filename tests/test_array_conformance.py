"""Every operation on audio, text or tables passes every check."""

import functools

import pytest

from tests.array_cases import ARRAY_CASES, build
from tests.array_conformance import CHECKS
from tests.array_conformance.kinds import is_no_mixture, main_of
from tests.conformance.common import is_here, run_uncompiled

# What ways to choose layers are asked by default; their layers are asked everything.
OF_MIXTURES = {
    "check_changes_training_samples",
    "check_inference_is_identity_and_draws_nothing",
    "check_padding_and_special_tokens_stay",
    "check_padding_of_audio_stays",
    "check_round_trips",
    "check_what_was_drawn_can_be_replayed",
}


def _fits(check, op, arguments):
    kinds = getattr(check, "kinds", None)
    applies = getattr(check, "applies", lambda op: True)
    return applies(op) and (not kinds or main_of(build(op, arguments)) in kinds)


def _name(op, arguments):
    kind = main_of(build(op, arguments))
    return f"{op.__name__}-{kind}" if "layers" in arguments else op.__name__


def _is_fast(op, check):
    fast = getattr(check, "slow_unless", lambda op: True)(op)
    return fast and (is_no_mixture(op) or check.__name__ in OF_MIXTURES)


def _row(op, arguments, check):
    return pytest.param(
        op,
        arguments,
        check,
        id=f"{_name(op, arguments)}-{check.__name__.removeprefix('check_')}",
        marks=[] if _is_fast(op, check) else [pytest.mark.slow],
    )


ROWS = [
    _row(op, arguments, check)
    for op, arguments in ARRAY_CASES
    for check in CHECKS
    if _fits(check, op, arguments) and (_is_fast(op, check) or is_here(op, check))
]


@pytest.mark.parametrize(("op", "arguments", "check"), ROWS)
def test_conformance(op, arguments, check, monkeypatch):
    if not getattr(check, "compiled", False):
        run_uncompiled(monkeypatch)
    check(functools.partial(build, op, arguments))
