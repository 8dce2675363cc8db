"""Every public operation passes every check, and none is forgotten."""

import functools
import inspect

import pytest

from perfkit import augment
from tests.array_cases import ARRAY_CASES
from tests.cases import CASES, build, wants_squares
from tests.conformance import CHECKS
from tests.conformance.common import (
    is_here,
    run_uncompiled,
    stands_for_its_family,
    use_squares,
)

# The families, which have the same methods for all their operations.
ABSTRACT = {
    augment.AudioAugment,
    augment.Augment,
    augment.BlendAugment,
    augment.ColorAugment,
    augment.Combination,
    augment.FeatureAugment,
    augment.DropAugment,
    augment.FieldAugment,
    augment.GeometricAugment,
    augment.ImageAugment,
    augment.MixAugment,
    augment.MoveAugment,
    augment.Operation,
    augment.PixelAugment,
    augment.PolicyAugment,
    augment.ReplaceAugment,
    augment.SpectrogramAugment,
    augment.TokenAugment,
    augment.WarpAugment,
    augment.WaveformAugment,
}
# They stand for their families, but their programs take long.
MANY_PROGRAMS = {augment.RandAugment, augment.RandomChoice, augment.Resizing}
# What an operation overrides although its family does not ask for it.
OVERRIDES = {
    "AugMix.parameters": "it draws weights too",
    "AugMix.transform": "it mixes the images with chains of operations",
    "CopyPaste.check_inputs": "it has to know which pixels are whose",
    "FeatureNoise.check_inputs": "it may be built before `adapt` was called",
    "FeatureNoise.load_own_variables": "its scale counts as a weight",
    "FeatureNoise.save_own_variables": "its scale counts as a weight",
    "Normalization.check_inputs": "it may be built before `adapt` was called",
    "Normalization.load_own_variables": "its statistics count as weights",
    "Normalization.save_own_variables": "its statistics count as weights",
    "RandomColorJitter.transform": "contrast wants the mean after the brightness",
    "Resizing.transform": "bicubic, Lanczos and antialiasing are no homography",
}


def is_shared(op, check):
    """Whether the base does it, and this is not the operation that stands for it."""
    return getattr(check, "of_the_base", False) and not stands_for_its_family(op)


ROWS = [
    (op, arguments, check)
    for op, arguments in CASES
    for check in CHECKS
    if getattr(check, "applies", lambda op: True)(op)
    and (is_here(op, check) or not is_shared(op, check))
]


def row(op, arguments, check):
    """A parameter of the test; some programs are slow and much like others."""
    rows = [kwargs for other, kwargs in CASES if other is op]
    number = rows.index(arguments)
    name = f"{op.__name__}-{number + 1}" if len(rows) > 1 else op.__name__
    slow = getattr(check, "slow", False)
    alike = number > 0 or op in MANY_PROGRAMS
    slow = slow or (alike and getattr(check, "compiled", False))
    return pytest.param(
        op,
        arguments,
        check,
        id=f"{name}-{check.__name__.removeprefix('check_')}",
        marks=[pytest.mark.slow] if slow or is_shared(op, check) else [],
    )


@pytest.mark.parametrize(("op", "arguments", "check"), [row(*r) for r in ROWS])
def test_conformance(op, arguments, check, monkeypatch):
    if not getattr(check, "compiled", False):
        run_uncompiled(monkeypatch)
    if wants_squares(op, arguments):
        use_squares(monkeypatch)
    others = {"bounding_box_format": "xyxy"}
    check(functools.partial(build, op, arguments, **others))


def _public():
    names = [name for name in dir(augment) if not name.startswith("_")]
    members = [getattr(augment, name) for name in names]
    classes = {member for member in members if inspect.isclass(member)}
    return {member for member in classes if issubclass(member, augment.Augment)}


def test_every_public_op_has_a_case():
    assert _public() - ABSTRACT == {op for op, _ in CASES + ARRAY_CASES}


def test_families_are_abstract():
    for family in ABSTRACT - {augment.Augment, augment.Combination}:
        asked = [
            name
            for name, method in inspect.getmembers(family, inspect.isfunction)
            if (method.__doc__ or "").startswith("Operation:")
        ]
        assert asked


@pytest.mark.parametrize("op", sorted(_public() - ABSTRACT, key=str))
def test_ops_are_final(op):
    if not issubclass(op, augment.Operation):
        assert op.__base__ is augment.Combination  # operations put together
        return
    for name in vars(op):
        inherited = getattr(op.__base__, name, None)
        if name.startswith("__") or not inspect.isfunction(inherited):
            continue
        asked = (inherited.__doc__ or "").startswith("Operation:")
        assert asked or f"{op.__name__}.{name}" in OVERRIDES, name


def test_no_op_builds_on_another():
    for op in _public() - ABSTRACT:
        assert op.__base__ in ABSTRACT
