"""Layers that only translations make are checked like the public ones."""

import functools

import numpy as np
import pytest

from perfkit.augment.moving.steps import Gain, Mirror
from tests.cases import build
from tests.conformance import CHECKS
from tests.conformance.common import run_uncompiled, use_squares
from tests.oracles import noise

STEPS = {Gain: {"factor": (0.5, 1.5)}, Mirror: {"axis": "vertical", "rate": 0.5}}


def rows():
    """Checks of the operation itself; those of the base are run on public layers."""
    for step in STEPS:
        for check in CHECKS:
            of_the_base = getattr(check, "of_the_base", False)
            applies = getattr(check, "applies", lambda op: True)(step)
            if applies and not of_the_base and not getattr(check, "compiled", False):
                yield pytest.param(step, check, id=f"{step.__name__}-{check.__name__}")


@pytest.mark.parametrize(("step", "check"), [*rows()])
def test_conformance(step, check, monkeypatch):
    run_uncompiled(monkeypatch)
    use_squares(monkeypatch)
    check(functools.partial(build, step, STEPS[step], bounding_box_format="xyxy"))


@pytest.mark.parametrize(
    ("axis", "turned"),
    [
        ("horizontal", lambda x: x[:, :, ::-1]),
        ("vertical", lambda x: x[:, ::-1]),
        ("diagonal", lambda x: x.transpose(0, 2, 1, 3)),
    ],
)
def test_mirror_moves_whole_pixels(axis, turned):
    images = noise(2, 9, 9, 3)
    out = np.asarray(Mirror(axis)(images))
    np.testing.assert_array_equal(out, turned(images))


def test_diagonal_mirror_needs_squares():
    with pytest.raises(ValueError, match="square"):
        Mirror("diagonal")(noise(2, 8, 9, 3))


def test_gain_keeps_the_black_of_its_range():
    layer = Gain((2.0, 2.0), value_range=(-1, 1))
    out = np.asarray(layer(np.array([[[-1.0], [-0.5], [0.5]]], "float32")))
    np.testing.assert_allclose(out[0, :, 0], [-1.0, 0.0, 1.0], atol=1e-6)


@pytest.mark.parametrize("factor", [0.5, (-0.1, 1.0), (1.2, 0.8), "1", None])
def test_wrong_gain_is_named(factor):
    with pytest.raises(ValueError, match=r"Gain\(factor=\.\.\.\)"):
        Gain(factor)


def test_wrong_axis_is_named():
    with pytest.raises(ValueError, match=r"Mirror\(axis=\.\.\.\)"):
        Mirror("depth")
