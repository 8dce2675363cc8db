"""Pictures of schedules, and the page that shows them."""

import pathlib
import re

import numpy as np
import pytest
from keras.optimizers.schedules import CosineDecay

from perfkit import schedules
from tests.test_schedule_curves import kinds

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "schedules.md"


def lines(figure):
    return figure.axes[0].lines


def legend(figure):
    return [text.get_text() for each in figure.legends for text in each.get_texts()]


def test_a_line_goes_through_every_step():
    (line,) = lines(schedules.plot(schedules.Step(0.8, 2, factor=0.5), 5))
    np.testing.assert_array_equal(line.get_xdata(), range(6))
    expected = [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]
    np.testing.assert_allclose(line.get_ydata(), expected, rtol=1e-6)


def test_long_trainings_are_drawn_from_the_first_to_the_last_step():
    (line,) = lines(schedules.plot(0.3, 10**6))
    steps = line.get_xdata()
    assert (steps[0], steps[-1]) == (0, 10**6)
    assert len(steps) <= 500
    assert set(line.get_ydata()) == {0.3}


def test_several_have_their_names():
    both = [schedules.REX(0.1, 9), CosineDecay(0.1, 9)]
    assert legend(schedules.plot(both, 9)) == ["REX", "CosineDecay"]
    assert legend(schedules.plot(dict(zip("ab", both, strict=True)), 9)) == ["a", "b"]
    assert legend(schedules.plot(both[0], 9)) == []


def test_the_axis_may_be_logarithmic_and_the_size_chosen():
    figure = schedules.plot(0.1, 9, log=True, size=(3, 2))
    assert figure.axes[0].get_yscale() == "log"
    assert tuple(figure.get_size_inches()) == (3.0, 2.0)
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"schedules": []}, ValueError),
        ({"schedules": "cosine"}, TypeError),
        ({"schedules": [0.1, None]}, TypeError),
        ({"schedules": {"a": -0.1}}, ValueError),
        ({"steps": 0}, ValueError),
        ({"log": 1}, TypeError),
        ({"size": (0.1, 2)}, ValueError),
    ],
)
def test_a_wrong_argument_is_named(change, error):
    (name,) = change
    with pytest.raises(error, match=rf"^`plot\({name}=...\)` must be "):
        schedules.plot(**{"schedules": 0.1, "steps": 3, **change})


def test_the_page_has_every_schedule_in_its_table_and_picture():
    page = PAGE.read_text()
    names = {kind.__name__ for kind in kinds()}
    assert set(re.findall(r"^\| `(\w+)`", page, re.M)) == names
    assert set(re.findall(r"schedules\.([A-Z]\w+)\(", page)) == names
    assert (PAGE.parent / "schedules.png").exists()
