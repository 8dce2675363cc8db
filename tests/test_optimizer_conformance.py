"""Every public optimizer passes every check, and none is forgotten."""

import inspect

import keras
import pytest

from perfkit import optimizers
from tests.optimizer_cases import CASES, NOT_OPTIMIZERS
from tests.optimizer_conformance import CHECKS


def row(kind, check):
    case = CASES[kind]
    slow = getattr(check, "compiled", False) and not case.typical
    slow = slow or (case.branches and keras.backend.backend() == "jax")
    return pytest.param(
        case,
        check,
        id=f"{kind.__name__}-{check.__name__.removeprefix('check_')}",
        marks=[pytest.mark.slow] if slow else [],
    )


ROWS = [
    row(kind, check)
    for kind in CASES
    for check in CHECKS
    if getattr(check, "applies", lambda case: True)(CASES[kind])
]


@pytest.mark.parametrize(("case", "check"), ROWS)
def test_conformance(case, check):
    check(case)


def test_every_public_optimizer_has_a_case():
    public = {
        member
        for name, member in inspect.getmembers(optimizers, inspect.isclass)
        if not name.startswith("_")
    }
    assert public - NOT_OPTIMIZERS == set(CASES)
    assert all(issubclass(kind, keras.optimizers.Optimizer) for kind in CASES)


@pytest.mark.parametrize("kind", CASES)
def test_a_case_makes_what_it_is_for(kind):
    assert type(CASES[kind].make(CASES[kind].rate)) is kind
