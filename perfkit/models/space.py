"""What a search may choose when it builds a model."""

import dataclasses
import json
import math
from typing import Any

import numpy as np

from perfkit import _check
from perfkit.models import _options
from perfkit.models._tables import parameters_of

KINDS = ("choice", "integer", "number", "ordered")


@dataclasses.dataclass(frozen=True)
class Space:
    """Say which options of a builder vary, and over what, as plain data.

    A configuration is a dictionary of options, of those alone whose conditions hold:
    `models.cnn(input_shape, outputs, **configuration)` builds it.

    Args:
        kind: Name of the builder: `"cnn"`, `"rnn"` or `"transformer"`.
        parameters: A dictionary for each option. `"name"`; `"kind"`, which is
            `"choice"` or `"ordered"` (a scale) with `"choices"`, `"integer"` or
            `"number"` with `"low"`, `"high"` and `"log"`, which says whether draws are
            uniform in the logarithm; `"default"`; and `"when"`, a dictionary of options
            before this one and the list of their values that it is there for.

    Raises:
        ValueError: If a parameter is not of this form.

    Example:
        >>> width = {"name": "width", "kind": "ordered", "choices": [16, 32]}
        >>> small = Space("cnn", [{**width, "default": 16, "when": {}}])
        >>> small.defaults(), list(small.neighbours({"width": 16}))
        ({'width': 16}, [{'width': 32}])

    Reference: none (standard).
    """

    kind: str
    parameters: list[dict[str, Any]]

    def __post_init__(self):
        _check.one_of("Space", "kind", self.kind, tuple(_BUILDERS))
        names = set()
        for number, parameter in enumerate(self.parameters):
            _require_form(f"parameters[{number}]", parameter, names)
            names.add(parameter["name"])

    def defaults(self) -> dict[str, Any]:
        """The configuration of the defaults."""
        return self._active({p["name"]: p["default"] for p in self.parameters})

    def sample(self, seed) -> dict[str, Any]:
        """Draw a configuration.

        Args:
            seed: Whole number of at least 0, or a `numpy.random.Generator`, which moves
                on.
        """
        if not isinstance(seed, np.random.Generator):
            seed = np.random.default_rng(_check.integer("Space", "seed", seed, 0))
        # Options that are not there are drawn too, so that the others stay as they are.
        return self._active({p["name"]: _drawn(p, seed) for p in self.parameters})

    def validate(self, configuration) -> dict[str, Any]:
        """Check a configuration, and return it in the order of the parameters.

        Args:
            configuration: Dictionary of options.

        Raises:
            ValueError: If an option is missing, not known, out of bounds or not there
                under the others.
        """
        _check.instance("Space", "configuration", configuration, dict)
        known = {p["name"] for p in self.parameters}
        for name in configuration:
            if name not in known:
                expected = f"one of {sorted(known)}"
                _check.fail("Space", f"configuration[{name!r}]", expected, name)
        checked: dict[str, Any] = {}
        for parameter in self.parameters:
            name = parameter["name"]
            if not _holds(parameter, checked):
                if name in configuration:
                    expected = f"left out unless {parameter['when']}"
                    value = configuration[name]
                    _check.fail("Space", f"configuration[{name!r}]", expected, value)
                continue
            if name not in configuration:
                expected = f"a dictionary with {name!r}"
                _check.fail("Space", "configuration", expected, configuration)
            value = configuration[name]
            if not _is_within(parameter, value):
                expected = _wording(parameter)
                _check.fail("Space", f"configuration[{name!r}]", expected, value)
            checked[name] = value
        return checked

    def neighbours(self, configuration) -> list[dict[str, Any]]:
        """Configurations that are one step away.

        A choice may become any other, and a scale or a whole number the next one;
        numbers go up and down by a tenth of their range. Options that come to be there
        have their defaults.

        Args:
            configuration: Dictionary of options.
        """
        now = self.validate(configuration)
        defaults = {p["name"]: p["default"] for p in self.parameters}
        found = []
        for parameter in self.parameters:
            if parameter["name"] not in now:
                continue
            for value in _beside(parameter, now[parameter["name"]]):
                changed = {**defaults, **now, parameter["name"]: value}
                found.append(self._active(changed))
        return found

    def to_json(self) -> str:
        """The space as text, which `from_json` reads."""
        return json.dumps({"kind": self.kind, "parameters": self.parameters}, indent=1)

    @classmethod
    def from_json(cls, text) -> "Space":
        """The space that `to_json` wrote.

        Args:
            text: JSON.
        """
        read = json.loads(text)
        if not isinstance(read, dict) or set(read) != {"kind", "parameters"}:
            _check.fail("Space", "text", "JSON of 'kind' and 'parameters'", text)
        return cls(**read)

    def _active(self, values):
        active: dict[str, Any] = {}
        for parameter in self.parameters:
            if _holds(parameter, active):
                active[parameter["name"]] = values[parameter["name"]]
        return active


_BUILDERS = ("cnn", "rnn", "transformer")


def space(kind, input_shape=None, task="classification") -> Space:
    """Make the space of the options of a builder for one kind of data.

    Any configuration of it can be built for inputs of this shape and this task.

    Args:
        kind: `"cnn"`, `"rnn"` or `"transformer"`.
        input_shape: Shape of a sample, as the builder takes it; `None` for images of
            any size for `"cnn"`, and sequences of any length for the others.
        task: `"classification"`, `"regression"` or `"labelling"`.

    Returns:
        The space. Copy its parameters and change them for another one.

    Raises:
        ValueError: If an argument is out of bounds.

    Example:
        >>> found = space("transformer", (None,))
        >>> found.defaults()["position"]
        'sinusoidal'
        >>> Space.from_json(found.to_json()) == found
        True

    Reference: none (standard).
    """
    _check.one_of("space", "kind", kind, _BUILDERS)
    task = _check.one_of("space", "task", task, _options.TASKS)
    if input_shape is None:
        input_shape = (None, None, 3) if kind == "cnn" else (None, 1)
    expected = "a shape of 1, 2 or, unless `kind` is 'rnn', 3 sizes"
    most = 2 if kind == "rnn" else 3
    if not isinstance(input_shape, (list, tuple)) or not 1 <= len(input_shape) <= most:
        _check.fail("space", "input_shape", expected, input_shape)
    parameters = parameters_of(kind, tuple(input_shape), task)
    if not parameters:
        expected = "of sides that are multiples of 2, and at most 1024 patches of 16"
        _check.fail("space", "input_shape", expected, input_shape)
    return Space(kind, parameters)


def _require_form(name, parameter, before):
    form = isinstance(parameter, dict) and parameter.get("kind") in KINDS
    listed = form and parameter["kind"] in ("choice", "ordered")
    keys = {"name", "kind", "default", "when"}
    keys |= {"choices"} if listed else {"low", "high", "log"}
    if not form or set(parameter) != keys:
        expected = f"a dictionary of 'kind', one of {list(KINDS)}, and {sorted(keys)}"
        _check.fail("Space", name, expected, parameter)
    if listed:
        bounded = isinstance(parameter["choices"], list) and parameter["choices"]
    else:
        low, high = parameter["low"], parameter["high"]
        bounded = low < high and (low > 0 or not parameter["log"])
    if not bounded or not _is_within(parameter, parameter["default"]):
        expected = "bounded, and its default within"
        _check.fail("Space", name, expected, parameter)
    if not set(parameter["when"]) <= before:
        expected = "there under conditions on parameters before it"
        _check.fail("Space", name, expected, parameter)


def _holds(parameter, active):
    return all(
        name in active and active[name] in values
        for name, values in parameter["when"].items()
    )


def _is_within(parameter, value):
    if "choices" in parameter:
        # True is equal to 1, which is another choice.
        return any(type(value) is type(x) and value == x for x in parameter["choices"])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    whole = parameter["kind"] == "number" or isinstance(value, int)
    return whole and parameter["low"] <= value <= parameter["high"]


def _wording(parameter):
    if "choices" in parameter:
        return f"one of {parameter['choices']}"
    kind = "a whole number" if parameter["kind"] == "integer" else "a number"
    return f"{kind} within [{parameter['low']}, {parameter['high']}]"


def _drawn(parameter, rng):
    if "choices" in parameter:
        return parameter["choices"][int(rng.integers(len(parameter["choices"])))]
    low, high, whole = *_ends(parameter), parameter["kind"] == "integer"
    value = float(rng.uniform(low, high))
    value = math.exp(value) if parameter["log"] else value
    if whole:
        value = round(value)
    return min(max(value, parameter["low"]), parameter["high"])


def _ends(parameter):
    """Bounds on the scale that is drawn from; whole numbers have a unit each."""
    low, high = parameter["low"], parameter["high"]
    if parameter["kind"] == "integer":
        low, high = low - 0.5, high + 0.5
    return (math.log(low), math.log(high)) if parameter["log"] else (low, high)


def _beside(parameter, value):
    choices = parameter.get("choices")
    if parameter["kind"] == "choice":
        return [x for x in choices if type(x) is not type(value) or x != value]
    if parameter["kind"] == "ordered":
        place = choices.index(value)
        return [choices[i] for i in (place - 1, place + 1) if 0 <= i < len(choices)]
    if parameter["kind"] == "integer":
        return [x for x in (value - 1, value + 1) if _is_within(parameter, x)]
    low, high = _ends(parameter)
    here = math.log(value) if parameter["log"] else value
    beside = []
    for step in (-0.1, 0.1):
        there = min(max(here + step * (high - low), low), high)
        if there != here:
            there = math.exp(there) if parameter["log"] else there
            beside.append(min(max(there, parameter["low"]), parameter["high"]))
    return beside
