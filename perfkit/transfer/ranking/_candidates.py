"""What `rank_backbones` ranks, and how each candidate takes its inputs."""

from collections.abc import Mapping
from typing import Any

import keras

from perfkit import _check
from perfkit.transfer.preprocessing import MODES, Preprocessing

_OWNER = "rank_backbones"


def makers(candidates):
    """Functions that make the candidates, by their names."""
    if isinstance(candidates, (list, tuple)):
        for each in candidates:
            _check.instance(_OWNER, "candidates", each, keras.Model)
        named = {each.name: each for each in candidates}
        if len(named) < len(candidates):
            names = [each.name for each in candidates]
            _check.fail(_OWNER, "candidates", "models of different names", names)
    else:
        named = _check.instance(_OWNER, "candidates", candidates, Mapping)
    if not named:
        _check.fail(_OWNER, "candidates", "one candidate or more", candidates)
    for each in named.values():
        if not callable(each):
            expected = "models, or functions that make one"
            _check.fail(_OWNER, "candidates", expected, each, TypeError)
    return {str(name): _maker(each) for name, each in named.items()}


def _maker(candidate):
    return (lambda: candidate) if isinstance(candidate, keras.Model) else candidate


def preprocessing(given, names) -> dict[str, Any]:
    """Functions of a batch, or "auto", by the names of the candidates."""
    if not isinstance(given, Mapping):
        given = dict.fromkeys(names, given)
    made = {}
    for name, one in given.items():
        made[name] = one
        if isinstance(one, str) and one in MODES:
            made[name] = Preprocessing(one)
        elif name not in names or not (callable(one) or one == "auto"):
            expected = (
                f"'auto', one of {sorted(MODES)}, a function, or a dict of these "
            )
            expected += "by names of candidates"
            _check.fail(_OWNER, "preprocessing", expected, given, TypeError)
    return {name: made.get(name, "auto") for name in names}
