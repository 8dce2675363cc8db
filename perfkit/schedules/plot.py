"""Seeing schedules."""

from typing import TYPE_CHECKING

import keras
import numpy as np

from perfkit import _check
from perfkit.schedules._parts import part, rate_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_POINTS = 500  # the most that one line is drawn through


def plot(schedules, steps, *, log=False, size=(7.0, 3.5)) -> "Figure":
    """Draw learning rates over the steps of a training.

    Nothing pops up: a notebook shows what a cell returns, and a script says
    `plot(...).savefig("rates.png")`. It needs matplotlib, which
    `pip install 'perfkit[examples]'` installs.

    Args:
        schedules: A `LearningRateSchedule` or a constant rate; a list of them; or a
            dict of them by the names that are to be written beside the lines.
        steps: Number of optimizer steps. At least 1.
        log: Whether the rates' axis is logarithmic.
        size: Width and height, in inches.

    Returns:
        `matplotlib.figure.Figure`, of which `pyplot` knows nothing.

    Raises:
        TypeError: If one of `schedules` is neither a schedule nor a number.
        ValueError: If an argument is out of bounds.
        ImportError: If matplotlib is missing.

    Example:
        >>> from perfkit.schedules import Step, WarmUp
        >>> figure = plot({"warm": WarmUp(0.1, 20), "steps": Step(0.1, 30)}, 100)
        >>> len(figure.axes[0].lines)
        2
    """
    named = _named(schedules)
    steps = _check.integer("plot", "steps", steps)
    log = _check.boolean("plot", "log", log)
    size = _check.margins("plot", "size", size, 0.5, 100.0)
    _check.installed("schedules.plot", "matplotlib", "examples")
    from perfkit._drawing import Drawing

    figure = Drawing(size)
    axes = figure.subplots()
    places = np.unique(np.linspace(0, steps, min(steps + 1, _POINTS)).astype("int64"))
    # Tensors, as an optimizer counts: JAX would compile for each Python number.
    tensors = [keras.ops.convert_to_tensor(place, "int32") for place in places]
    for name, each in named:
        axes.plot(places, [float(rate_of(each, step)) for step in tensors], label=name)
    axes.set(xlabel="step", ylabel="learning rate", yscale="log" if log else "linear")
    axes.grid(alpha=0.3)
    if isinstance(schedules, (list, tuple, dict)):
        figure.legend(loc="outside right upper")
    return figure


def _named(schedules):
    """Pairs of a name and a schedule or rate."""
    if isinstance(schedules, (list, tuple)):
        pairs = [(type(each).__name__, each) for each in schedules]
    elif isinstance(schedules, dict):
        pairs = [(str(name), each) for name, each in schedules.items()]
    else:
        pairs = [("", schedules)]
    if not pairs:
        _check.fail("plot", "schedules", "one schedule or more", schedules)
    return [(name, part("plot", "schedules", each)) for name, each in pairs]
