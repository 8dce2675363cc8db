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


@pytest.mark.parametrize(
    ("kind", "check"), [row(kind, check) for kind in CASES for check in CHECKS]
)
def test_conformance(kind, check):
    case = CASES[kind]
    if not getattr(check, "applies", lambda kind, case: True)(kind, case):
        pytest.skip("not what it is for")
    check(kind, case)


def test_every_public_layer_has_a_case_or_a_reason_to_have_none():
    assert not set(CASES) & set(WITHOUT_CASE)
    assert set(CASES) | set(WITHOUT_CASE) == public()
    assert all(issubclass(kind, keras.layers.Layer) for kind in CASES)
