"""Every public layer passes every check, and none is forgotten."""

import keras
import pytest

from tests.layer_cases import CASES, WITHOUT_CASE, public
from tests.layer_conformance import CHECKS


def row(kind, check):
    case = CASES[kind]
    later = case.slow or (keras.backend.backend() == "jax" and not case.typical)
    return pytest.param(
        kind,
        check,
        id=f"{kind.__name__}-{check.__name__.removeprefix('check_')}",
        marks=[pytest.mark.slow] if later else [],
    )


ROWS = [
    row(kind, check)
    for kind in CASES
    for check in CHECKS
    if getattr(check, "applies", lambda kind, case: True)(kind, CASES[kind])
]


@pytest.mark.parametrize(("kind", "check"), ROWS)
def test_conformance(kind, check):
    check(kind, CASES[kind])


def test_every_public_layer_has_a_case_or_a_reason_to_have_none():
    assert not set(CASES) & set(WITHOUT_CASE)
    assert set(CASES) | set(WITHOUT_CASE) == public()
    assert all(issubclass(kind, keras.layers.Layer) for kind in CASES)
